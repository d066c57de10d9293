/* SPDX-License-Identifier: ISC */
#include "store/migrations.h"

#include <stdio.h>

#include "store/database.h"

/* A migration that was released is never changed; what is wrong with it is put right by the next number.
 *
 * What can be many rows (lines, salts) or files (blobs) is not deleted with its owner, because that would
 * hold up every other transaction: triggers leave a note in `purge`, and the store's thread deletes piece by
 * piece when it has nothing else to do. Until then readers leave out what is noted there. So lines and salts
 * have no foreign key. */
static const char first[] =
    "CREATE TABLE node ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 20),"
    " location BLOB NOT NULL CHECK (length(location) = 16),"
    " key_block BLOB NOT NULL,"
    " certificate BLOB NOT NULL,"
    " passphrase BLOB NOT NULL,"
    " private_key BLOB NOT NULL,"
    " name TEXT NOT NULL) STRICT;"

    "CREATE TABLE friend ("
    " location BLOB PRIMARY KEY CHECK (length(location) = 16),"
    " fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 20),"
    " name TEXT NOT NULL,"
    " key_block BLOB NOT NULL,"
    " verified INTEGER NOT NULL CHECK (verified IN (0, 1)),"
    " pinned BLOB NOT NULL CHECK (length(pinned) = 32),"
    " addresses TEXT NOT NULL,"
    " dns TEXT NOT NULL,"
    " hidden TEXT NOT NULL,"
    " added INTEGER NOT NULL,"
    " last_seen INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE account ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " name TEXT NOT NULL UNIQUE"
    "  CHECK (length(name) BETWEEN 1 AND 24 AND name NOT GLOB '*[^a-z0-9_-]*'),"
    " password TEXT NOT NULL,"
    " fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 20),"
    " key_block BLOB NOT NULL,"
    " key_wrapped BLOB NOT NULL,"
    " passphrase_wrapped BLOB NOT NULL,"
    " settings TEXT NOT NULL,"
    " epoch INTEGER NOT NULL,"
    " created INTEGER NOT NULL,"
    " is_operator INTEGER NOT NULL CHECK (is_operator IN (0, 1))) STRICT;"

    /* Apart from the account, because every line changes them; they outlive the account, so that its id stays
       used. */
    "CREATE TABLE counter ("
    " account INTEGER PRIMARY KEY,"
    " last_seq INTEGER NOT NULL,"
    " last_change INTEGER NOT NULL) STRICT;"

    "CREATE TABLE highest ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " id INTEGER NOT NULL) STRICT;"
    "INSERT INTO highest VALUES (1, 0);"

    "CREATE TABLE app_password ("
    " account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    " id INTEGER NOT NULL CHECK (id > 0),"
    " label TEXT NOT NULL,"
    " scope TEXT NOT NULL CHECK (scope IN ('irc', 'mail', 'web', 'control', '*')),"
    " sha256 BLOB NOT NULL CHECK (length(sha256) = 32),"
    " scram TEXT NOT NULL,"
    " created INTEGER NOT NULL,"
    " last_used INTEGER NOT NULL,"
    " PRIMARY KEY (account, id)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE contact ("
    " account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    " id INTEGER NOT NULL CHECK (id > 0),"
    " handle TEXT NOT NULL"
    "  CHECK (length(handle) BETWEEN 1 AND 24 AND handle NOT GLOB '*[^a-z0-9_-]*'),"
    " name TEXT NOT NULL,"
    " fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 20),"
    " key_block BLOB NOT NULL,"
    " presence TEXT NOT NULL CHECK (presence IN ('always', 'open', 'never')),"
    " created INTEGER NOT NULL,"
    " change INTEGER NOT NULL,"
    " PRIMARY KEY (account, id),"
    " UNIQUE (account, handle)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE conversation ("
    " account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    " id INTEGER NOT NULL CHECK (id > 0),"
    " contact INTEGER NOT NULL,"
    " open INTEGER NOT NULL CHECK (open IN (0, 1)),"
    " read_seq INTEGER NOT NULL,"
    " last_seq INTEGER NOT NULL,"
    " closed_at INTEGER NOT NULL,"
    " avatar TEXT NOT NULL"
    "  CHECK (avatar = '' OR (length(avatar) = 64 AND avatar NOT GLOB '*[^0-9a-f]*')),"
    " state_text TEXT NOT NULL,"
    " created INTEGER NOT NULL,"
    " change INTEGER NOT NULL,"
    " PRIMARY KEY (account, id)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE route ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    " conversation INTEGER NOT NULL,"
    " kind TEXT NOT NULL CHECK (kind IN ('classic', 'sealed', 'gxs')),"
    " role TEXT NOT NULL CHECK (role IN ('guest', 'inviter')),"
    " invite INTEGER NOT NULL,"
    " hash BLOB NOT NULL CHECK (length(hash) = 20),"
    " keys_wrapped BLOB NOT NULL,"
    " salt_next INTEGER NOT NULL,"
    " confirmed INTEGER NOT NULL CHECK (confirmed IN (0, 1)),"
    " closed_by_peer INTEGER NOT NULL CHECK (closed_by_peer IN (0, 1)),"
    " created INTEGER NOT NULL,"
    " last_used INTEGER NOT NULL) STRICT;"
    "CREATE INDEX route_conversation ON route (account, conversation);"

    "CREATE TABLE salt ("
    " route INTEGER NOT NULL,"
    " salt INTEGER NOT NULL,"
    " PRIMARY KEY (route, salt)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE invite ("
    " account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    " id INTEGER NOT NULL CHECK (id > 0),"
    " contact INTEGER NOT NULL,"
    " own INTEGER NOT NULL CHECK (own IN (0, 1)),"
    " link_wrapped BLOB NOT NULL,"
    " expires INTEGER NOT NULL,"
    " uses_left INTEGER NOT NULL CHECK (uses_left >= -1),"
    " state TEXT NOT NULL CHECK (state IN ('open', 'used', 'revoked', 'expired')),"
    " sealed INTEGER NOT NULL CHECK (sealed IN (0, 1)),"
    " sealed_only INTEGER NOT NULL CHECK (sealed_only IN (0, 1)),"
    " created INTEGER NOT NULL,"
    " change INTEGER NOT NULL,"
    " PRIMARY KEY (account, id)) STRICT, WITHOUT ROWID;"

    /* text: TEXT when it is UTF-8 without a NUL, else BLOB. */
    "CREATE TABLE line ("
    " account INTEGER NOT NULL,"
    " seq INTEGER NOT NULL CHECK (seq > 0),"
    " conversation INTEGER NOT NULL,"
    " route INTEGER NOT NULL,"
    " direction TEXT NOT NULL CHECK (direction IN ('in', 'out', 'note')),"
    " text ANY NOT NULL CHECK (typeof(text) IN ('text', 'blob')),"
    " time INTEGER NOT NULL,"
    " peer_time INTEGER NOT NULL,"
    " delivery TEXT NOT NULL,"
    " reason TEXT NOT NULL,"
    " label TEXT NOT NULL,"
    " change INTEGER NOT NULL,"
    " PRIMARY KEY (account, seq),"
    " CONSTRAINT delivery_word CHECK (CASE direction"
    "  WHEN 'out' THEN delivery IN ('queued', 'sent', 'not-confirmed', 'delivered', 'failed')"
    "  WHEN 'in' THEN delivery = 'received'"
    "  ELSE delivery IN ('', 'received') END)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX line_change ON line (account, change);"
    "CREATE INDEX line_conversation ON line (account, conversation, seq, direction);"
    "CREATE INDEX line_queued ON line (account, seq) WHERE delivery = 'queued';"

    "CREATE TABLE client ("
    " account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    " name TEXT NOT NULL,"
    " epoch INTEGER NOT NULL,"
    " change INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " last_seen INTEGER NOT NULL,"
    " PRIMARY KEY (account, name)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE gone ("
    " account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    " kind TEXT NOT NULL CHECK (kind IN ('contact', 'conversation', 'invite')),"
    " id INTEGER NOT NULL,"
    " change INTEGER NOT NULL,"
    " PRIMARY KEY (account, kind, id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX gone_change ON gone (account, change);"

    "CREATE TABLE purge ("
    " kind TEXT NOT NULL CHECK (kind IN ('lines', 'salts', 'blobs')),"
    " account INTEGER NOT NULL,"
    " id INTEGER NOT NULL,"
    " PRIMARY KEY (account, kind, id)) STRICT, WITHOUT ROWID;"

    "CREATE TRIGGER conversation_deleted AFTER DELETE ON conversation BEGIN"
    " DELETE FROM route WHERE account = OLD.account AND conversation = OLD.id;"
    " INSERT OR IGNORE INTO purge VALUES ('lines', OLD.account, OLD.id);"
    "END;"
    "CREATE TRIGGER route_deleted AFTER DELETE ON route BEGIN"
    " INSERT OR IGNORE INTO purge VALUES ('salts', OLD.account, OLD.id);"
    "END;"
    "CREATE TRIGGER account_deleted AFTER DELETE ON account BEGIN"
    " INSERT OR IGNORE INTO purge VALUES ('blobs', OLD.id, 0);"
    "END;"

    /* An id that was used names its old owner in tombstones, in what is still to be purged and in clients'
       memory. */
    "CREATE TRIGGER account_id BEFORE INSERT ON account"
    " WHEN EXISTS (SELECT 1 FROM counter WHERE account = NEW.id)"
    " AND NOT EXISTS (SELECT 1 FROM account WHERE id = NEW.id) BEGIN"
    " SELECT RAISE(ABORT, 'this account id was used before');"
    "END;"
    "CREATE TRIGGER contact_id BEFORE INSERT ON contact"
    " WHEN EXISTS (SELECT 1 FROM gone WHERE account = NEW.account AND kind = 'contact' AND id = NEW.id) BEGIN"
    " SELECT RAISE(ABORT, 'this contact id was used before');"
    "END;"
    "CREATE TRIGGER conversation_id BEFORE INSERT ON conversation"
    " WHEN EXISTS (SELECT 1 FROM gone WHERE account = NEW.account AND kind = 'conversation' AND id = NEW.id) "
    "BEGIN"
    " SELECT RAISE(ABORT, 'this conversation id was used before');"
    "END;"
    "CREATE TRIGGER invite_id BEFORE INSERT ON invite"
    " WHEN EXISTS (SELECT 1 FROM gone WHERE account = NEW.account AND kind = 'invite' AND id = NEW.id) BEGIN"
    " SELECT RAISE(ABORT, 'this invite id was used before');"
    "END;"
    "CREATE TRIGGER route_id BEFORE INSERT ON route"
    " WHEN EXISTS (SELECT 1 FROM purge WHERE account = NEW.account AND kind = 'salts' AND id = NEW.id) BEGIN"
    " SELECT RAISE(ABORT, 'this route id was used before');"
    "END;"

    "CREATE TRIGGER account_highest AFTER INSERT ON account BEGIN"
    " UPDATE highest SET id = NEW.id WHERE id < NEW.id; END;"
    "CREATE TRIGGER app_password_highest AFTER INSERT ON app_password BEGIN"
    " UPDATE highest SET id = NEW.id WHERE id < NEW.id; END;"
    "CREATE TRIGGER contact_highest AFTER INSERT ON contact BEGIN"
    " UPDATE highest SET id = NEW.id WHERE id < NEW.id; END;"
    "CREATE TRIGGER conversation_highest AFTER INSERT ON conversation BEGIN"
    " UPDATE highest SET id = NEW.id WHERE id < NEW.id; END;"
    "CREATE TRIGGER route_highest AFTER INSERT ON route BEGIN"
    " UPDATE highest SET id = NEW.id WHERE id < NEW.id; END;"
    "CREATE TRIGGER invite_highest AFTER INSERT ON invite BEGIN"
    " UPDATE highest SET id = NEW.id WHERE id < NEW.id; END;";

/* Most lines have no label and most conversations no avatar, so these indices are small. */
static const char second[] =
    "ALTER TABLE app_password ADD COLUMN idle INTEGER NOT NULL DEFAULT 0 CHECK (idle >= 0);"
    "CREATE INDEX line_label ON line (account, conversation, label, seq) WHERE label <> '';"
    "CREATE INDEX conversation_avatar ON conversation (account, avatar) WHERE avatar <> '';";

/* Sealed chat. Routes of before have no context, without which nobody can tell for which invite an
   announcement is: they stay classic. Numbers have 48 bits. A line that waits for its acknowledgement is in
   line_sent; that is at most one window for a route, and empty when nothing is on its way. */
static const char third[] =
    "ALTER TABLE conversation ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0 CHECK (sealed IN (0, 1));"
    "ALTER TABLE route ADD COLUMN sealing TEXT NOT NULL DEFAULT 'never'"
    " CHECK (sealing IN ('never', 'may', 'must'));"
    "ALTER TABLE route ADD COLUMN settled INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1));"
    "ALTER TABLE route ADD COLUMN context BLOB NOT NULL"
    " DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000'"
    " CHECK (length(context) = 32);"
    "ALTER TABLE route ADD COLUMN number_out INTEGER NOT NULL DEFAULT 0"
    " CHECK (number_out BETWEEN 0 AND 0xffffffffffff);"
    "ALTER TABLE route ADD COLUMN number_in INTEGER NOT NULL DEFAULT 0"
    " CHECK (number_in BETWEEN 0 AND 0xffffffffffff);"
    "ALTER TABLE route ADD COLUMN parting INTEGER NOT NULL DEFAULT 0 CHECK (parting >= 0);"
    "ALTER TABLE line ADD COLUMN number INTEGER NOT NULL DEFAULT 0"
    " CHECK (number = 0 OR (number BETWEEN 1 AND 0xffffffffffff AND route > 0 AND direction <> 'note'));"
    "CREATE UNIQUE INDEX line_number ON line (route, direction, number) WHERE number > 0;"
    "CREATE INDEX line_sent ON line (route, number) WHERE number > 0 AND delivery = 'sent';";

/* Posts. A message lies apart from its row, so that lists do not read it and a flag does not write it anew.
   Like lines, posts and what belongs to them have no foreign key and are deleted piece by piece when their
   account is gone: its note of kind `blobs` stands for all that it leaves. What was removed has its
   tombstones apart from the others', because they can be many. A file that a row named and names no more is
   noted in loose_blob, because another row may name it too. */
static const char fourth[] =
    "ALTER TABLE contact ADD COLUMN posts TEXT NOT NULL DEFAULT 'unknown'"
    " CHECK (posts IN ('unknown', 'classic', 'sealed'));"

    "CREATE TABLE post ("
    " account INTEGER NOT NULL,"
    " seq INTEGER NOT NULL CHECK (seq > 0),"
    " direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),"
    " kind TEXT NOT NULL CHECK (kind IN ('post', 'report', 'answer')),"
    " contact INTEGER NOT NULL,"
    " subject TEXT NOT NULL,"
    " preview TEXT NOT NULL,"
    " sender TEXT NOT NULL,"
    " receivers TEXT NOT NULL,"
    " copies TEXT NOT NULL,"
    " message_id TEXT NOT NULL,"
    " wire_id TEXT NOT NULL,"
    " in_reply_to TEXT NOT NULL,"
    " thread INTEGER NOT NULL CHECK (thread > 0),"
    " time INTEGER NOT NULL,"
    " peer_time INTEGER NOT NULL,"
    " size INTEGER NOT NULL CHECK (size >= 0),"
    " attachments INTEGER NOT NULL CHECK (attachments >= 0),"
    " blob TEXT NOT NULL CHECK (blob = '' OR (length(blob) = 64 AND blob NOT GLOB '*[^0-9a-f]*')),"
    " seen INTEGER NOT NULL CHECK (seen IN (0, 1)),"
    " answered INTEGER NOT NULL CHECK (answered IN (0, 1)),"
    " flagged INTEGER NOT NULL CHECK (flagged IN (0, 1)),"
    " is_signed INTEGER NOT NULL CHECK (is_signed IN (0, 1)),"
    " verdict TEXT NOT NULL CHECK (verdict IN ('', 'signed', 'unsigned', 'bad-signature', 'unknown-sender',"
    "  'not-addressed', 'locked', 'gateway')),"
    " protection TEXT NOT NULL CHECK (protection IN ('', 'none', 'classic', 'sealed')),"
    " level TEXT NOT NULL CHECK (level IN ('', 'none', 'universal', 'open', 'private')),"
    " label TEXT NOT NULL,"
    " options TEXT NOT NULL,"
    " change INTEGER NOT NULL,"
    " PRIMARY KEY (account, seq)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX post_change ON post (account, change);"
    "CREATE INDEX post_direction ON post (account, direction, seq);"
    "CREATE INDEX post_thread ON post (account, thread, seq);"
    "CREATE INDEX post_label ON post (account, label, seq) WHERE label <> '';"
    "CREATE INDEX post_message_id ON post (account, message_id, seq) WHERE message_id <> '';"
    "CREATE INDEX post_wire_id ON post (account, wire_id, seq) WHERE wire_id <> '';"
    "CREATE INDEX post_blob ON post (account, blob) WHERE blob <> '';"
    "CREATE INDEX post_locked ON post (account, seq) WHERE verdict = 'locked';"

    "CREATE TABLE post_message ("
    " account INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " message BLOB NOT NULL,"
    " PRIMARY KEY (account, seq)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE delivery ("
    " account INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " contact INTEGER NOT NULL,"
    " address TEXT NOT NULL,"
    " delivery TEXT NOT NULL CHECK (delivery IN ('queued', 'not-confirmed', 'delivered', 'failed')),"
    " protection TEXT NOT NULL CHECK (protection IN ('', 'none', 'classic', 'sealed')),"
    " level TEXT NOT NULL CHECK (level IN ('', 'none', 'universal', 'open', 'private')),"
    " reason TEXT NOT NULL,"
    " message_id BLOB NOT NULL CHECK (length(message_id) = 16),"
    " until INTEGER NOT NULL,"
    " since INTEGER NOT NULL,"
    " next INTEGER NOT NULL,"
    " warned INTEGER NOT NULL,"
    " options TEXT NOT NULL,"
    " PRIMARY KEY (account, seq, contact)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX delivery_queued ON delivery (account, seq) WHERE delivery = 'queued';"

    "CREATE TABLE post_mark ("
    " account INTEGER NOT NULL,"
    " digest BLOB NOT NULL CHECK (length(digest) = 32),"
    " sender BLOB NOT NULL CHECK (length(sender) = 20),"
    " message_id BLOB NOT NULL CHECK (length(message_id) = 16),"
    " time INTEGER NOT NULL,"
    " PRIMARY KEY (account, digest)) STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX post_mark_sender ON post_mark (account, sender, message_id)"
    " WHERE sender <> x'0000000000000000000000000000000000000000';"
    "CREATE INDEX post_mark_time ON post_mark (time);"

    "CREATE TABLE post_gone ("
    " account INTEGER NOT NULL,"
    " change INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " PRIMARY KEY (account, change, seq)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE loose_blob ("
    " account INTEGER NOT NULL,"
    " blob TEXT NOT NULL,"
    " PRIMARY KEY (account, blob)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE post_link ("
    " account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    " id INTEGER NOT NULL CHECK (id > 0),"
    " hash BLOB NOT NULL CHECK (length(hash) = 20),"
    " expires INTEGER NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('open', 'expired', 'revoked')),"
    " created INTEGER NOT NULL,"
    " change INTEGER NOT NULL,"
    " PRIMARY KEY (account, id)) STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER post_link_highest AFTER INSERT ON post_link BEGIN"
    " UPDATE highest SET id = NEW.id WHERE id < NEW.id; END;"

    "CREATE TABLE post_way ("
    " account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    " contact INTEGER NOT NULL,"
    " hash BLOB NOT NULL CHECK (length(hash) = 20),"
    " expires INTEGER NOT NULL,"
    " PRIMARY KEY (account, contact, hash)) STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER contact_deleted AFTER DELETE ON contact BEGIN"
    " DELETE FROM post_way WHERE account = OLD.account AND contact = OLD.id;"
    "END;"

    "CREATE TRIGGER post_deleted AFTER DELETE ON post BEGIN"
    " DELETE FROM delivery WHERE account = OLD.account AND seq = OLD.seq;"
    " DELETE FROM post_message WHERE account = OLD.account AND seq = OLD.seq;"
    " INSERT OR IGNORE INTO loose_blob SELECT OLD.account, OLD.blob WHERE OLD.blob <> '';"
    "END;"
    "CREATE TRIGGER post_blob_replaced AFTER UPDATE OF blob ON post"
    " WHEN OLD.blob <> '' AND OLD.blob <> NEW.blob BEGIN"
    " INSERT OR IGNORE INTO loose_blob VALUES (OLD.account, OLD.blob);"
    "END;";

/* Number n is at index n - 1. */
static const char *const migrations[] = {first, second, third, fourth};

int migrations_newest(void)
{
    return (int)(sizeof migrations / sizeof migrations[0]);
}

bool migrations_run(sqlite3 *database, int version, int to, struct error **error)
{
    for (int number = version + 1; number <= to; number++) {
        char stamp[64];
        snprintf(stamp, sizeof stamp, "PRAGMA user_version = %d", number);
        if (!database_run(database, "BEGIN IMMEDIATE", error))
            return false;
        if (!database_run(database, migrations[number - 1], error) || !database_run(database, stamp, error) ||
            !database_run(database, "COMMIT", error)) {
            sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
            return error_prefix(error, "migration %d of the database", number);
        }
    }
    return true;
}
