/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as a snapshot, as they are and with the checksum that fits them, so that what lies behind it is reached. What is
 * taken must be written so that it is read again as the same.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "domain/hash.h"
#include "require.h"
#include "store/snapshot.h"

/* are two leases the same, expiry and revision included */
static void check_lease(const struct flannel_lease *a, const struct flannel_lease *b)
{
	require(flannel_lease_equal(a, b));
	require(flannel_lease_get_expires_sec(a) == flannel_lease_get_expires_sec(b));
	require(flannel_lease_get_revision(a) == flannel_lease_get_revision(b));
}

/* writes it and reads it again */
static void check_again(const struct fl_snapshot *snapshot)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *again = NULL;
	FL_CLEANUP(fl_freep) char *text = NULL;
	size_t len;

	require(fl_snapshot_format(snapshot, &text, &len, NULL) == 0);
	require(fl_snapshot_parse(text, len, "again", &again, NULL) == 0);
	require(strcmp(snapshot->store, again->store) == 0 && strcmp(snapshot->config, again->config) == 0);
	require(snapshot->written_sec == again->written_sec && snapshot->n_peers == again->n_peers);
	check_lease(snapshot->own, again->own);
	for (size_t i = 0; i < snapshot->n_peers; i++)
		check_lease(snapshot->peers[i], again->peers[i]);
}

/* reads bytes */
static void try(const char *text, size_t len)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *snapshot = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (fl_snapshot_parse(text, len, "fuzz", &snapshot, &error) < 0)
		require(!snapshot && *flannel_error_get_message(error));
	else
		check_again(snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FL_CLEANUP(fl_freep) char *text = malloc(size + 64);
	int n = snprintf(text, 64, "{\"Checksum\":\"%016" PRIx64 "\",", fl_hash(FL_HASH_INIT, data, size));

	try((const char *)data, size);
	memcpy(text + n, data, size);
	try(text, (size_t)n + size);
	return 0;
}
