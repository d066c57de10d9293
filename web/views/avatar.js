// SPDX-License-Identifier: ISC
// A picture of oneself: cut to a square, and written anew, small and without what a camera adds to it.
import {dialog, h} from "../dom.js";
import {t} from "../words.js";
import {field, hint} from "./parts.js";

const AVATAR_MAX = 32767; // bytes, the gateway's limit
const SIZES = [256, 192, 128, 96];
const QUALITIES = [0.9, 0.75, 0.6];
const SHOWN = 240;

async function encode(paint) {
  for (const size of SIZES) {
    const canvas = h("canvas", {width: size, height: size});
    paint(canvas.getContext("2d"), size);
    for (const quality of QUALITIES) {
      const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
      if (blob && blob.size <= AVATAR_MAX) return new Uint8Array(await blob.arrayBuffer());
    }
  }
  throw new Error(t("settings.avatar_failed"));
}

/** Lets the person choose a part of the picture: its base64, or undefined. */
export async function chooseAvatar(file) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    throw new Error(t("settings.avatar_unreadable"));
  }
  const edge = Math.min(picture.width, picture.height);
  const centre = {x: picture.width / 2, y: picture.height / 2, zoom: 1};
  const clamp = (value, side, part) => Math.max(part / 2, Math.min(side - part / 2, value));
  const paint = (context, size) => {
    const part = edge / centre.zoom;
    centre.x = clamp(centre.x, picture.width, part);
    centre.y = clamp(centre.y, picture.height, part);
    context.fillStyle = "#fff"; // JPEG has no transparency
    context.fillRect(0, 0, size, size);
    context.drawImage(picture, centre.x - part / 2, centre.y - part / 2, part, part, 0, 0, size, size);
  };
  const draw = () => paint(canvas.getContext("2d"), SHOWN);
  const move = (x, y) => {
    const scale = edge / centre.zoom / SHOWN;
    centre.x -= x * scale;
    centre.y -= y * scale;
    draw();
  };
  const STEPS = {ArrowLeft: [8, 0], ArrowRight: [-8, 0], ArrowUp: [0, 8], ArrowDown: [0, -8]};
  const canvas = h("canvas.crop", {width: SHOWN, height: SHOWN, tabindex: 0, role: "img", "aria-label": t("settings.avatar_crop"),
    onpointerdown: (event) => canvas.setPointerCapture(event.pointerId),
    onpointermove: (event) => event.buttons && move(event.movementX, event.movementY),
    onkeydown: (event) => {
      if (!(event.key in STEPS)) return;
      event.preventDefault();
      move(...STEPS[event.key]);
    }});
  const zoom = h("input", {type: "range", min: 1, max: 4, step: 0.05, value: 1, oninput: () => {
    centre.zoom = Number(zoom.value);
    draw();
  }});
  draw();
  const bytes = await dialog({
    title: t("settings.avatar"), body: h("div.stack", {}, canvas, field(t("settings.zoom"), zoom), hint(t("settings.avatar_crop"))),
    actions: [{text: t("app.cancel")}, {text: t("app.save"), kind: "primary", run: () => encode(paint)}],
  });
  picture.close();
  return bytes && btoa(String.fromCharCode(...bytes));
}
