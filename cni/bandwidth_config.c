/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bandwidth_config.h"

#include <inttypes.h>
#include <stdint.h>

#include "cleanup.h"
#include "common_keys.h"
#include "decode.h"

#define BITS_PER_BYTE 8

/* more than any link does, and less than where the parser stops counting */
#define BITS_MAX (INT64_C(1) << 62)

/* what a burst must stay below, in bytes */
#define BURST_MAX UINT32_MAX

/* the kernel counts a burst as the time in which the rate fills it, and does so with 32 bits of 64 ns each */
#define BURST_SEC_MAX 274

/* the two keys of a direction */
struct direction {
	const char *rate_key;
	const char *burst_key;
};

static const struct direction ingress = {"ingressRate", "ingressBurst"};
static const struct direction egress = {"egressRate", "egressBurst"};

/* checks what was given for one direction, and turns bits into bytes */
static int convert(const struct direction *direction, const char *path, int64_t rate, int64_t burst,
		   struct flannel_bandwidth_limit *ret_limit, struct cni_error *error)
{
	const int64_t rate_bytes = rate / BITS_PER_BYTE;
	const int64_t burst_bytes = burst / BITS_PER_BYTE;
	char rate_path[CNI_PATH_SIZE];
	char burst_path[CNI_PATH_SIZE];

	(void)cni_path_join(rate_path, path, direction->rate_key);
	(void)cni_path_join(burst_path, path, direction->burst_key);
	if (rate > 0 && burst == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is %" PRId64 ", expected %s beside it", rate_path, rate,
				burst_path);
	if (rate == 0 && burst > 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is %" PRId64 ", expected %s beside it", burst_path,
				burst, rate_path);
	if (rate > 0 && rate_bytes == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is %" PRId64 ", expected at least 8 bits per second",
				rate_path, rate);
	if (burst > 0 && burst_bytes == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is %" PRId64 ", expected at least 8 bits", burst_path,
				burst);
	if (burst_bytes >= BURST_MAX)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is %" PRId64 ", expected less than %" PRIu64 " bits",
				burst_path, burst, (uint64_t)BURST_MAX * BITS_PER_BYTE);
	if (burst_bytes / BURST_SEC_MAX > rate_bytes)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"%s is %" PRId64 ", expected no more than what %s (%" PRId64 ") yields in %d s",
				burst_path, burst, rate_path, rate, BURST_SEC_MAX);
	*ret_limit = (struct flannel_bandwidth_limit){.bytes_per_sec = (uint64_t)rate_bytes,
						      .burst_bytes = (uint32_t)burst_bytes};
	return 0;
}

/* the limit of one direction: 1 if one of its keys is there, 0, -1 */
static int read_direction(struct json_object *object, const char *path, const struct direction *direction,
			  struct flannel_bandwidth_limit *ret_limit, struct cni_error *error)
{
	int64_t rate = 0;
	int64_t burst = 0;
	int has_rate = cni_get_int(object, path, direction->rate_key, 0, BITS_MAX, &rate, error);
	int has_burst = has_rate < 0 ? -1 : cni_get_int(object, path, direction->burst_key, 0, BITS_MAX, &burst, error);

	if (has_burst < 0 || convert(direction, path, rate, burst, ret_limit, error) < 0)
		return -1;
	return has_rate || has_burst;
}

/* both directions: 1 if one of the four keys is there, 0, -1 */
static int read_limits(struct json_object *object, const char *path, struct cni_bandwidth_config *ret_config,
		       struct cni_error *error)
{
	int has_ingress = read_direction(object, path, &ingress, &ret_config->ingress, error);
	int has_egress = has_ingress < 0 ? -1 : read_direction(object, path, &egress, &ret_config->egress, error);

	return has_egress < 0 ? -1 : has_ingress || has_egress;
}

int cni_bandwidth_config_read(const struct cni_request *request, struct cni_bandwidth_config *ret_config,
			      struct cni_error *error)
{
	struct cni_bandwidth_config config = {0};
	struct json_object *runtime = NULL;
	int r;

	if (cni_config_check_common(request->config, error) < 0 ||
	    cni_config_get_nested(request->config, "runtimeConfig", "bandwidth", &runtime, error) < 0)
		return -1;
	r = read_limits(request->config, "", &config, error);
	if (r == 0 && runtime)
		r = read_limits(runtime, "runtimeConfig.bandwidth", &config, error);
	if (r < 0)
		return -1;
	*ret_config = config;
	return 0;
}
