// SPDX-License-Identifier: ISC
// QR codes: drawn from what the gateway computes, read where the browser can (BarcodeDetector).
import {dialog, h, replace, svg} from "./dom.js";
import {link} from "./link.js";
import {t} from "./words.js";

const QUIET = 4; // modules of margin that readers ask for (ISO 18004)
const QR_MAX = 2900; // bytes

export const fitsQr = (text) => new TextEncoder().encode(text).length <= QR_MAX;

async function draw(text, label) {
  const {size, rows} = await link.http("POST", "/api/1/qr", {text});
  const edge = size + 2 * QUIET;
  let path = "";
  rows.forEach((row, y) => {
    for (const run of row.matchAll(/1+/g))
      path += `M${run.index + QUIET} ${y + QUIET}h${run[0].length}v1h-${run[0].length}z`;
  });
  return svg("svg", {class: "qr", viewBox: `0 0 ${edge} ${edge}`, role: "img", "aria-label": label,
    "shape-rendering": "crispEdges"},
  svg("rect", {width: edge, height: edge, class: "qr-paper"}), svg("path", {d: path, class: "qr-ink"}));
}

/** A frame that fills itself with the code; the text is shown elsewhere too, so a failure is only said. */
export function qrOf(text, label) {
  const frame = h("div.qr-frame", {"aria-busy": "true"});
  draw(text, label).then((code) => replace(frame, code),
    (failure) => replace(frame, h("p.hint", {}, failure.text ?? t("qr.failed"))))
    .finally(() => frame.removeAttribute("aria-busy"));
  return frame;
}

export const showQr = (text, title) =>
  dialog({title, body: h("div.stack", {}, qrOf(text, title), h("p.hint", {}, t("qr.point"))), wide: true});

let detector;
/** Whether pictures can be read here; asked once. */
export async function canScan() {
  try {
    if (detector === undefined)
      detector = (await BarcodeDetector.getSupportedFormats()).includes("qr_code")
        ? new BarcodeDetector({formats: ["qr_code"]}) : null;
  } catch {
    detector = null; // Firefox has none
  }
  return detector !== null;
}

/** The text of the first code in a picture, "" when there is none. */
export async function readPicture(file) {
  const picture = await createImageBitmap(file);
  try {
    return (await detector.detect(picture))[0]?.rawValue ?? "";
  } finally {
    picture.close();
  }
}

/** Looks through the camera until a code is seen or the dialog is closed: its text, or undefined. */
export async function readCamera() {
  const stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: "environment"}});
  const video = h("video.camera", {autoplay: true, playsinline: true, "aria-label": t("qr.camera")});
  video.srcObject = stream;
  let seen, over = false;
  const closed = dialog({title: t("qr.camera"), body: h("div.stack", {}, video, h("p.hint", {}, t("qr.hold"))),
    actions: [{text: t("app.cancel")}]});
  const box = video.closest("dialog");
  const look = async () => {
    if (over) return;
    try {
      seen = (await detector.detect(video))[0]?.rawValue || undefined;
    } catch { /* no frame yet */ }
    if (seen !== undefined) box.close();
    else setTimeout(look, 150);
  };
  look();
  await closed;
  over = true;
  for (const track of stream.getTracks()) track.stop();
  return seen;
}
