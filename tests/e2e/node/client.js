// SPDX-License-Identifier: ISC
// A client on irc-framework. Its options are one JSON object, the first argument; it tells events and takes commands as
// one JSON object a line: {"say": [target, text]}, {"typing": target}. The end of standard input quits.
'use strict';
const readline = require('node:readline');
const IRC = require('irc-framework');

const tell = (event, more) => process.stdout.write(JSON.stringify({ event, ...more }) + '\n');
const options = JSON.parse(process.argv[2]);
const client = new IRC.Client({ auto_reconnect: false, enable_echomessage: true, ...options });

client.requestCap(['labeled-response']);
client.on('registered', (it) => tell('registered', { nick: it.nick, caps: client.network.cap.enabled }));
client.on('join', (it) => tell('join', { nick: it.nick, channel: it.channel }));
client.on('part', (it) => tell('part', { nick: it.nick, channel: it.channel, text: it.message }));
client.on('topic', (it) => tell('topic', { channel: it.channel, text: it.topic }));
client.on('userlist', (it) => tell('names', { channel: it.channel, users: it.users.map((user) => user.nick) }));
client.on('message', (it) => tell(it.type, {
  nick: it.nick, target: it.target, text: it.message, time: it.time ?? null, tags: it.tags, batch: it.batch?.type ?? null }));
client.on('tagmsg', (it) => tell('tagmsg', { nick: it.nick, target: it.target, tags: it.tags }));
client.on('irc error', (it) => tell('error', { error: it.error, text: it.reason }));
client.on('sasl failed', (it) => tell('sasl failed', { text: it.reason }));
client.on('close', () => { tell('close'); process.exit(0); });

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  if (command.say) client.say(...command.say);
  if (command.typing) client.tagmsg(command.typing, { '+typing': 'active' });
}).on('close', () => client.quit('done'));
client.connect();
