/* SPDX-License-Identifier: ISC */
#include "store/rows.h"

#include <string.h>

static const char *text(const struct value *value)
{
    return (const char *)value->bytes.data;
}

struct line_row line_of(const struct value values[LINE_WIDTH])
{
    return (struct line_row){
        .account = values[0].number,
        .seq = values[1].number,
        .conversation = values[2].number,
        .route = values[3].number,
        .direction = text(&values[4]),
        .text = values[5].bytes,
        .time = values[6].number,
        .peer_time = values[7].number,
        .delivery = text(&values[8]),
        .reason = text(&values[9]),
        .label = text(&values[10]),
        .change = values[11].number,
        .number = (uint64_t)values[12].number,
    };
}

struct post_row post_of(const struct value values[POST_WIDTH])
{
    return (struct post_row){
        .account = values[0].number,
        .seq = values[1].number,
        .direction = text(&values[2]),
        .kind = text(&values[3]),
        .contact = values[4].number,
        .subject = text(&values[5]),
        .preview = text(&values[6]),
        .from = text(&values[7]),
        .to = text(&values[8]),
        .cc = text(&values[9]),
        .message_id = text(&values[10]),
        .wire_id = text(&values[11]),
        .in_reply_to = text(&values[12]),
        .thread = values[13].number,
        .time = values[14].number,
        .peer_time = values[15].number,
        .size = values[16].number,
        .attachments = values[17].number,
        .blob = text(&values[18]),
        .seen = values[19].number != 0,
        .answered = values[20].number != 0,
        .flagged = values[21].number != 0,
        .is_signed = values[22].number != 0,
        .verdict = text(&values[23]),
        .protection = text(&values[24]),
        .level = text(&values[25]),
        .label = text(&values[26]),
        .options = text(&values[27]),
        .change = values[28].number,
        .message = values[29].bytes,
    };
}

struct delivery_row delivery_of(const struct value values[DELIVERY_WIDTH])
{
    struct delivery_row row = {
        .account = values[0].number,
        .seq = values[1].number,
        .contact = values[2].number,
        .address = text(&values[3]),
        .delivery = text(&values[4]),
        .protection = text(&values[5]),
        .level = text(&values[6]),
        .reason = text(&values[7]),
        .until = values[9].number,
        .since = values[10].number,
        .next = values[11].number,
        .warned = values[12].number,
        .options = text(&values[13]),
    };
    if (values[8].bytes.size == sizeof row.message_id)
        memcpy(row.message_id, values[8].bytes.data, sizeof row.message_id);
    return row;
}
