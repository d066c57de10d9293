/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_PLAIN_H
#define RETROGATE_DISTANT_PLAIN_H

#include "base/buffer.h"

/* Appends the plain text of a chat text (protocol 03 §4.1): the original sends Qt XHTML when its editor holds
 * more than plain letters, and says so nowhere, so the text itself decides. Without one of the tags that Qt
 * knows it is appended as it is, entities included. With one: tags, comments and what is in script, style,
 * head and title are dropped; paragraphs, list items, rows and headings begin a new line, <br> ends one;
 * entities are decoded; line ends, tabs and no-break spaces become one space each, at the beginning of a line
 * none; spaces stay, because Qt's styles preserve them; a link whose text differs from its address is
 * followed by the address in angle brackets: nothing is hidden behind words, and an invite in a link is not
 * lost. Valid UTF-8 gives valid UTF-8; the result has no more bytes than the text, so a ceiling of text.size
 * is enough. One pass, no allocation but the buffer's. False when `out` is full, with `out` as it was. */
bool chat_text_plain(struct buffer *out, struct bytes text);

/* The other way: what a person wrote, such that chat_text_plain() and the original both show it as it was written (a tab
 * in it becomes a space). A text that nobody takes for markup is appended as it is. At most 5 * text.size + 13 bytes. */
bool chat_text_mark(struct buffer *out, struct bytes text);

#endif
