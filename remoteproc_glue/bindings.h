/* SPDX-License-Identifier: GPL-2.0 */
/* What bindgen reads for remoteproc_glue/bindings.rs. */

#include "../frames.h"
