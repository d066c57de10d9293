/* SPDX-License-Identifier: ISC */
#include "mime/read.h"

/* A GMimeStream that only takes: its bytes go into a buffer, whose ceiling holds, where GMime's own memory
 * stream would end the process without memory. */
struct into {
    GMimeStream parent;
    struct buffer *out;
    bool cut; /* take what fits, and fail then */
};
struct into_class {
    GMimeStreamClass parent;
};

typedef struct into into_object;
typedef struct into_class into_objectClass;
static GType into_object_get_type(void);
G_DEFINE_TYPE(into_object, into_object, GMIME_TYPE_STREAM)

static ssize_t into_write(GMimeStream *stream, const char *data, size_t size)
{
    struct into *into = (struct into *)stream;
    size_t room = into->out->ceiling - buffer_size(into->out), part = size;
    if (into->cut && part > room)
        part = room;
    if (!buffer_append(into->out, data, part) || part < size)
        return -1;
    stream->position += (gint64)part;
    return (ssize_t)part;
}

static int into_flush(GMimeStream *stream)
{
    (void)stream;
    return 0;
}

static void into_object_class_init(into_objectClass *class)
{
    class->parent.write = into_write;
    class->parent.flush = into_flush;
}

static void into_object_init(into_object *into)
{
    into->out = NULL;
}

GMimeStream *stream_into(struct buffer *out, bool cut)
{
    struct into *into = g_object_new(into_object_get_type(), NULL);
    g_mime_stream_construct(&into->parent, 0, -1);
    into->out = out;
    into->cut = cut;
    return &into->parent;
}
