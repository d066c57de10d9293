/* SPDX-License-Identifier: ISC */
#include "core/image.h"

#include <string.h>

struct extent {
    uint32_t width, height;
};

static bool begins(struct reader *reader, const void *magic, size_t size)
{
    struct bytes head = read_bytes(reader, size);
    return !reader->failed && memcmp(head.data, magic, size) == 0;
}

/* PNG (ISO 15948) 5.2, 11.2.2: the first chunk tells. */
static bool png_extent(struct reader reader, struct extent *out)
{
    static const uint8_t magic[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const uint8_t header[] = {0, 0, 0, 13, 'I', 'H', 'D', 'R'};
    if (!begins(&reader, magic, sizeof magic) || !begins(&reader, header, sizeof header))
        return false;
    out->width = read_u32(&reader);
    out->height = read_u32(&reader);
    return !reader.failed;
}

/* SOF0 to SOF15, without DHT, JPG and DAC, which stand among them (ITU T.81 table B.1). */
static bool begins_frame(uint8_t marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

static bool may_precede_frame(uint8_t marker)
{
    enum { DHT = 0xc4, DAC = 0xcc, DQT = 0xdb, DRI = 0xdd, APP0 = 0xe0, APP15 = 0xef, COM = 0xfe };
    return marker == DHT || marker == DAC || marker == DQT || marker == DRI || marker == COM ||
           (marker >= APP0 && marker <= APP15);
}

/* T.81 B.1.1, B.2: segments up to the frame header. */
static bool jpeg_extent(struct reader reader, struct extent *out)
{
    static const uint8_t start[] = {0xff, 0xd8};
    if (!begins(&reader, start, sizeof start))
        return false;
    for (;;) {
        if (read_u8(&reader) != 0xff || reader.failed)
            return false;
        uint8_t marker = read_u8(&reader);
        while (marker == 0xff) /* fill */
            marker = read_u8(&reader);
        uint16_t size = read_u16(&reader); /* counts itself */
        if (reader.failed || size < 2)
            return false;
        struct reader segment = reader_of(read_bytes(&reader, size - 2u));
        if (begins_frame(marker)) {
            read_u8(&segment); /* bits of a sample */
            out->height = read_u16(&segment);
            out->width = read_u16(&segment);
            return !reader.failed && !segment.failed;
        }
        if (reader.failed || !may_precede_frame(marker))
            return false;
    }
}

static bool side_fits(uint32_t side)
{
    return side >= 1 && side <= IMAGE_SIDE;
}

bool image_fits(struct bytes image, struct error **error)
{
    struct extent extent = {0};
    if (image.size > IMAGE_BYTES)
        return error_set(error, ERROR_LIMIT, "a picture has at most %d bytes", IMAGE_BYTES);
    if (!png_extent(reader_of(image), &extent) && !jpeg_extent(reader_of(image), &extent))
        return error_set(error, ERROR_INVALID, "a picture is PNG or JPEG");
    return (side_fits(extent.width) && side_fits(extent.height)) ||
           error_set(error, ERROR_INVALID, "a picture is 1 to %d pixels wide and high", IMAGE_SIDE);
}
