/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <errno.h>

#include "sandbox.h"
#include "sys/netns.h"
#include "sys/sysctl.h"

#define SETTING "net/ipv4/conf/lo/arp_notify"

/* reads the setting in a private place, in whatever namespace the caller is */
static int read_setting(void *userdata, struct flannel_error **ret_error)
{
	const int *place = userdata;
	char value[8];
	int r = fl_sysctl_read(*place, SETTING, value, sizeof(value), ret_error);

	return r < 0 ? r : atoi(value);
}

/* what is written there is a setting like any other, each namespace has its own, and nobody sees the place */
Test(sysctl, private_place)
{
	const struct fl_sysctl sysctl = {.name = SETTING, .value = "1"};
	struct flannel_error *error = NULL;
	char *mounts;
	int place, other;

	sandbox_enter();
	other = sandbox_new_netns();
	mounts = sandbox_shell(true, "cat /proc/self/mountinfo");
	place = fl_sysctl_open_private();
	cr_assert_geq(place, 0);
	sandbox_expect(mounts, "cat /proc/self/mountinfo");
	cr_expect_eq(read_setting(&place, NULL), 0);
	sandbox_assert_ok(fl_sysctl_write(place, &sysctl, NULL, &error), error);
	sandbox_expect("1", "cat /proc/sys/" SETTING);
	cr_expect_eq(read_setting(&place, NULL), 1);
	cr_expect_eq(fl_netns_run(other, true, read_setting, &place, NULL), 0);
	cr_expect_eq(fl_netns_run(other, false, read_setting, &place, NULL), 0);
	cr_expect_eq(fl_sysctl_write(place, &(struct fl_sysctl){.name = "net/none", .value = "1"}, NULL, &error),
		     -ENOENT);
	sandbox_expect_error(&error, -ENOENT, "net/none");
	close(place);
	close(other);
	free(mounts);
}
