/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "distant/post_sender_internal.h"

/* POSTS.md §6: transfers, all over one tunnel at a time, the carrier. Silence is answered by an offer: the
 * recipient says then where it stands, also when it forgot the transfer, or is another life. */

static const uint64_t offer_again_ms[] = {5000, 10000, 20000, 40000};
enum { OFFER_TIMES = sizeof offer_again_ms / sizeof *offer_again_ms };

static bool is_under_way(const struct transfer *transfer)
{
    return transfer->there && !transfer->classic && transfer->fate == FATE_OPEN;
}

static size_t count_under_way(const struct post_sender *sender)
{
    size_t count = 0;
    for (size_t i = 0; i < POST_TRANSFERS; i++)
        count += is_under_way(&sender->transfers[i]);
    return count;
}

/* --- the carrier */

static bool can_carry(const struct sender_tunnel *tunnel)
{
    return sender_tunnel_is_up(tunnel) && tunnel->channel.there;
}

static void offer_all(struct post_sender *sender)
{
    for (size_t i = 0; i < POST_TRANSFERS; i++) {
        struct transfer *transfer = &sender->transfers[i];
        if (!is_under_way(transfer))
            continue;
        transfer->offer = true;
        transfer->wanted = false;
    }
}

/* One that was heard, before one that only showed a greeting, which anybody can repeat. */
static struct sender_tunnel *best(struct post_sender *sender)
{
    struct sender_tunnel *found = NULL;
    for (size_t i = 0; i < POST_SENDER_TUNNELS; i++) {
        struct sender_tunnel *tunnel = &sender->tunnels[i];
        if (can_carry(tunnel) && (found == NULL || (tunnel->confirmed && !found->confirmed)))
            found = tunnel;
    }
    return found;
}

void sender_carrier_choose(struct post_sender *sender)
{
    if (sender->carrier == NULL || !can_carry(sender->carrier))
        sender->carrier = best(sender);
    if (sender->carrier == NULL)
        return;
    sender->progress_at = sender->now;
    for (size_t i = 0; i < POST_TRANSFERS; i++)
        sender->transfers[i].offers = 0;
    offer_all(sender);
}

/* What was not answered in one tunnel is offered in the next one, if there is another. */
static void carrier_turn(struct post_sender *sender)
{
    size_t from = sender_tunnel_index(sender, sender->carrier);
    for (size_t i = 1; i < POST_SENDER_TUNNELS; i++) {
        struct sender_tunnel *tunnel = &sender->tunnels[(from + i) % POST_SENDER_TUNNELS];
        if (!can_carry(tunnel))
            continue;
        sender->carrier = tunnel;
        offer_all(sender);
        return;
    }
}

static void give_up(struct post_sender *sender, struct sender_tunnel *tunnel)
{
    tunnel->closing = true;
    post_channel_wipe(&tunnel->channel);
    sender_greeting_forget(sender, tunnel);
    if (sender->carrier == tunnel)
        sender_carrier_choose(sender);
}

/* --- transfers */

void sender_sealed_begin(struct post_sender *sender, struct transfer *transfer)
{
    if (count_under_way(sender) == 1)
        sender->progress_at = sender->now;
    transfer->offer = true;
}

/* Where nothing is under way, no answer is missing. */
void sender_sealed_withdrawn(struct post_sender *sender)
{
    for (size_t i = 0; count_under_way(sender) == 0 && i < POST_SENDER_TUNNELS; i++)
        sender->tunnels[i].unanswered = 0;
}

static void end(struct transfer *transfer, enum fate fate)
{
    transfer->fate = fate;
    buffer_free(&transfer->message);
}

static void on_want(struct post_sender *sender, struct transfer *transfer, const struct post_record *record)
{
    uint64_t size = buffer_size(&transfer->message);
    if (record->offset > size)
        return;
    bool first = !transfer->wanted, further = record->offset > transfer->offset;
    bool waits = record->offset == size; /* for its store */
    if (further)
        sender->progress_at = sender->now;
    if (first || record->offset < transfer->offset || (further && record->offset > transfer->next) ||
        (!further && sender->now - transfer->back_at >= GO_BACK_MS))
        transfer->next = record->offset;
    if (further || transfer->next == record->offset)
        transfer->back_at = sender->now;
    if (further || !waits)
        transfer->offers = 0;
    transfer->wanted = true;
    transfer->offset = record->offset;
    transfer->end = record->window < size - record->offset ? record->offset + record->window : size;
    transfer->quiet_at = sender->now + (waits ? offer_again_ms[transfer->offers] : QUIET_MS);
}

static void take(struct post_sender *sender, const struct post_record *record)
{
    for (size_t i = 0; i < POST_TRANSFERS; i++) {
        struct transfer *transfer = &sender->transfers[i];
        if (!is_under_way(transfer) || memcmp(transfer->id, record->transfer, sizeof transfer->id) != 0)
            continue;
        if (record->kind == POST_WANT) {
            on_want(sender, transfer, record);
            return;
        }
        sender->progress_at = sender->now;
        transfer->code = record->code;
        end(transfer, record->kind == POST_STORED ? FATE_DELIVERED : FATE_REFUSED);
        return;
    }
}

void sender_sealed_receive(struct post_sender *sender, struct sender_tunnel *tunnel,
                           const struct post_frame *frame)
{
    struct buffer plain = buffer_make(POST_BACK_SIZE);
    struct post_record record;
    if (post_channel_open(&tunnel->channel, &plain, frame)) {
        tunnel->unanswered = 0;
        tunnel->confirming = !tunnel->confirmed;
        tunnel->confirmed = true;
        if (post_back_parse(&record, buffer_view(&plain)))
            take(sender, &record);
    }
    buffer_free(&plain);
}

/* --- time */

void sender_sealed_tick(struct post_sender *sender)
{
    for (size_t i = 0; i < POST_SENDER_TUNNELS; i++) {
        struct sender_tunnel *tunnel = &sender->tunnels[i];
        if (can_carry(tunnel) && tunnel->unanswered != 0 && sender->now - tunnel->unanswered >= GIVE_UP_MS)
            give_up(sender, tunnel);
    }
    if (sender->carrier == NULL)
        return;
    if (count_under_way(sender) > 0 && sender->now - sender->progress_at >= STALL_MS)
        give_up(sender, sender->carrier);
    bool turn = false;
    for (size_t i = 0; i < POST_TRANSFERS && sender->carrier != NULL; i++) {
        struct transfer *transfer = &sender->transfers[i];
        if (!is_under_way(transfer) || transfer->offer || sender->now < transfer->quiet_at)
            continue;
        transfer->offer = true;
        turn = turn || sender->carrier->unanswered != 0;
    }
    if (turn)
        carrier_turn(sender);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t sender_sealed_deadline(const struct post_sender *sender)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < POST_SENDER_TUNNELS; i++) {
        const struct sender_tunnel *tunnel = &sender->tunnels[i];
        if (can_carry(tunnel) && tunnel->unanswered != 0)
            first = sooner(first, tunnel->unanswered + GIVE_UP_MS);
    }
    if (sender->carrier == NULL || count_under_way(sender) == 0)
        return first;
    first = sooner(first, sender->progress_at + STALL_MS);
    for (size_t i = 0; i < POST_TRANSFERS; i++) {
        const struct transfer *transfer = &sender->transfers[i];
        if (is_under_way(transfer) && !transfer->offer)
            first = sooner(first, transfer->quiet_at);
    }
    return first;
}

/* --- what is sent */

static bool record_of(struct post_sender *sender, struct transfer *transfer, struct post_record *record)
{
    *record = (struct post_record){.kind = POST_OFFER, .size = buffer_size(&transfer->message)};
    memcpy(record->transfer, transfer->id, sizeof record->transfer);
    if (transfer->fate == FATE_WITHDRAWN) {
        record->kind = POST_CANCEL;
        transfer->there = false;
        return true;
    }
    if (!is_under_way(transfer))
        return false;
    if (transfer->offer) {
        memcpy(record->digest, transfer->digest, sizeof record->digest);
        transfer->offer = false;
        transfer->wanted = false; /* what is said next holds for all that left before */
        transfer->begun = true;
        transfer->quiet_at = sender->now + offer_again_ms[transfer->offers];
        transfer->offers += transfer->offers + 1 < OFFER_TIMES;
        return true;
    }
    if (!transfer->wanted || transfer->next >= transfer->end)
        return false;
    uint64_t left = transfer->end - transfer->next;
    record->kind = POST_SLICE;
    record->offset = transfer->next;
    record->data = bytes_of(buffer_view(&transfer->message).data + transfer->next,
                            left < POST_SLICE_SIZE ? (size_t)left : POST_SLICE_SIZE);
    transfer->next += record->data.size;
    transfer->quiet_at = sender->now + QUIET_MS;
    return true;
}

/* A frame that finds no memory is as good as lost on the way. */
static bool send(struct post_sender *sender, const struct post_record *record, struct post_sender_output *out)
{
    struct sender_tunnel *tunnel = sender->carrier;
    buffer_clear(&sender->payload);
    if (tunnel->unanswered == 0 && record->kind != POST_CANCEL)
        tunnel->unanswered = sender->now;
    if (!post_channel_write(&tunnel->channel, &sender->payload, record))
        return false;
    *out = (struct post_sender_output){
        .kind = POST_SENDER_SEND, .tunnel = tunnel->id, .payload = buffer_view(&sender->payload)};
    return true;
}

bool sender_sealed_next(struct post_sender *sender, struct post_sender_output *out)
{
    struct post_record record;
    for (size_t none = 0; sender->carrier != NULL && none < POST_TRANSFERS; none++) {
        struct transfer *transfer = &sender->transfers[sender->turn++ % POST_TRANSFERS];
        if (!transfer->there || transfer->classic || !record_of(sender, transfer, &record))
            continue;
        if (send(sender, &record, out))
            return true;
        none = 0;
    }
    return false;
}
