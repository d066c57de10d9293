/* SPDX-License-Identifier: ISC */
#include "core/post_reports.h"

void report_fate(const struct post_delivery *delivery)
{
    (void)delivery;
}

void report_delay(const struct post_delivery *delivery)
{
    (void)delivery;
}
