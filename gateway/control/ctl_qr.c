/* SPDX-License-Identifier: ISC */
#include "control/ctl_qr.h"

#include <qrencode.h>
#include <unistd.h>

enum { QUIET = 4 };

static bool is_dark(const QRcode *code, int x, int y)
{
    return x >= 0 && y >= 0 && x < code->width && y < code->width &&
           (code->data[y * code->width + x] & 1) != 0;
}

bool ctl_qr_print(FILE *out, const char *text, struct error **error)
{
    static const char *const blocks[2][2] = {{"\xe2\x96\x88", "\xe2\x96\x80"}, {"\xe2\x96\x84", " "}};
    bool terminal = isatty(fileno(out)) == 1;
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (code == NULL)
        return error_set(error, ERROR_LIMIT, "the text is too long for a QR code");
    for (int y = -QUIET; y < code->width + QUIET; y += 2) {
        fputs(terminal ? "\033[97;40m" : "", out);
        for (int x = -QUIET; x < code->width + QUIET; x++) {
            bool below_is_outside = y + 1 >= code->width + QUIET;
            fputs(blocks[is_dark(code, x, y)][below_is_outside || is_dark(code, x, y + 1)], out);
        }
        fputs(terminal ? "\033[0m\n" : "\n", out);
    }
    QRcode_free(code);
    return true;
}
