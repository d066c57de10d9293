// SPDX-License-Identifier: ISC
export function openSwitcher() {}
