// SPDX-License-Identifier: ISC
// Sends one message with an attachment by nodemailer. Its options stand on the standard input, as JSON.
"use strict";
const nodemailer = require("nodemailer");
const { transport, message } = JSON.parse(require("fs").readFileSync(0, "utf8"));

nodemailer.createTransport(transport).sendMail(message).then(
	(sent) => console.log(JSON.stringify({ accepted: sent.accepted, response: sent.response })),
	(error) => {
		console.log(JSON.stringify({ code: error.responseCode, response: error.response || String(error) }));
		process.exitCode = 1;
	});
