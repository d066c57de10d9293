// SPDX-License-Identifier: ISC
export function open() {}
