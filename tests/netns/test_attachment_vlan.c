/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * VLANs where the kernel may not have them: one clear error that leaves nothing, or what was asked for. tests/vm looks at them
 * in a kernel that has them for sure.
 */

#include <criterion/criterion.h>
#include <errno.h>

#include "sandbox.h"

#include "pod.h"

/* can this kernel's bridges filter VLANs? In a namespace of its own, to leave nothing. */
static bool kernel_has_vlans(void)
{
	char *text =
		sandbox_shell(false, "unshare -n ip link add br0 type bridge vlan_filtering 1 2>/dev/null && echo yes");
	bool has = strcmp(text, "yes") == 0;

	free(text);
	return has;
}

/* one attachment with these options, on a bridge that exists or does not */
static void try_vlan(const struct flannel_attachment_options *options, bool bridge_exists, const char *vlans)
{
	for (unsigned int mode = 0; mode < POD_MODES; mode++) {
		struct flannel_attachment_options copy = *options;
		struct flannel_attachment *attachment = NULL;
		struct flannel_error *error = NULL;
		struct pod_fixture fixture;
		int r;

		pod_open(&fixture, mode);
		copy.netns_fd = fixture.pod_fd;
		if (bridge_exists)
			sandbox_run("%s ip link add cni0 type bridge", fixture.node);
		pod_snapshot(&fixture, "before");
		r = flannel_attachment_attach(fixture.context, &copy, &attachment, &error);
		if (kernel_has_vlans()) {
			sandbox_assert_ok(r, error);
			sandbox_expect(vlans, "%s bridge -j vlan show dev %s | jq -c '[.[].vlans[].vlan]'",
				       fixture.node, flannel_attachment_get_host_link(attachment)->name);
		} else {
			cr_expect_eq(r, -EOPNOTSUPP);
			sandbox_expect_error(&error, -EOPNOTSUPP, "bridge cni0 filter VLANs");
			pod_snapshot(&fixture, "after");
			pod_expect_unchanged(&fixture, "before", "after", "node");
			pod_expect_unchanged(&fixture, "before", "after", "pod");
		}
		flannel_attachment_free(attachment);
		pod_close(&fixture);
	}
}

Test(attachment_vlan, vlan_on_a_new_bridge)
{
	const struct flannel_attachment_options options = {.size = sizeof(options), .vlan = 100};

	try_vlan(&options, false, "[100]");
}

Test(attachment_vlan, trunk_on_a_bridge_that_exists)
{
	const struct flannel_vlan_span span = {200, 201};
	const struct flannel_attachment_options options = {.size = sizeof(options), .trunk = &span, .n_trunk = 1};

	try_vlan(&options, true, "[1,200,201]");
}

Test(attachment_vlan, filter_only)
{
	const struct flannel_attachment_options options = {.size = sizeof(options),
							   .flags = FLANNEL_ATTACHMENT_VLAN_FILTER};

	try_vlan(&options, false, "[1]");
}

/* an attachment without VLANs does not ask the kernel for any */
Test(attachment_vlan, none)
{
	struct flannel_attachment_options options = {.size = sizeof(options)};
	struct flannel_attachment *attachment = NULL;
	struct flannel_error *error = NULL;
	struct pod_fixture fixture;

	pod_open(&fixture, 1);
	options.netns_fd = fixture.pod_fd;
	sandbox_assert_ok(flannel_attachment_attach(fixture.context, &options, &attachment, &error), error);
	cr_expect_null(flannel_attachment_get_vlan_link(attachment));
	cr_expect_null(flannel_attachment_get_vlan_link(NULL));
	sandbox_expect("0", "ip -j -d link show cni0 | jq '.[0].linkinfo.info_data.vlan_filtering'");
	flannel_attachment_free(attachment);
	pod_close(&fixture);
}
