// SPDX-License-Identifier: ISC
export function watchNotifications() {}
