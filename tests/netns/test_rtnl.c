/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sandbox.h"
#include "sys/netns.h"
#include "sys/rtnl/rtnl.h"
#include "sys/rtnl/link.h"

/* a request for one link */
static struct nl_msg *make_getlink(int ifindex)
{
	const struct ifinfomsg header = {.ifi_index = ifindex};
	struct nl_msg *message = fl_rtnl_message(RTM_GETLINK, 0, &header, sizeof(header));

	cr_assert_not_null(message);
	return message;
}

/* counts answers; ends with .stop_with when .n reaches .stop_at */
struct counter {
	int n;
	int stop_at;
	int stop_with;
};

/* one more answer */
static int count(void *userdata, const struct nlmsghdr *header)
{
	struct counter *counter = userdata;

	cr_expect_neq(header->nlmsg_type, NLMSG_ERROR);
	counter->n++;
	return counter->n == counter->stop_at ? counter->stop_with : 0;
}

Test(rtnl, open_lands_in_the_wanted_namespace_and_leaks_nothing)
{
	FL_CLEANUP(fl_closep) int other = -1;
	struct fl_link_info info;
	char in[64];
	int n_fds;

	sandbox_enter();
	other = sandbox_new_netns();
	sandbox_run("ip link add here type bridge");
	sandbox_run("%s ip link add there type bridge", sandbox_in(other, in));
	n_fds = sandbox_count_fds();
	for (int i = 0; i < 3; i++) {
		FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
		int fd = i == 0 ? -1 : other;
		int r = fl_rtnl_open(fd, i == 1, &rtnl, NULL);

		cr_assert_eq(r, 0);
		cr_expect_eq(fcntl(fl_rtnl_get_fd(rtnl), F_GETFD), FD_CLOEXEC);
		cr_expect_eq(fl_link_get(rtnl, "here", &info, NULL), i == 0);
		cr_expect_eq(fl_link_get(rtnl, "there", &info, NULL), i != 0);
	}
	cr_expect_eq(sandbox_count_fds(), n_fds);
	cr_expect_null(fl_rtnl_close(NULL));
}

Test(rtnl, open_fails_without_a_leak)
{
	FL_CLEANUP(fl_closep) int mount = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	struct fl_rtnl *rtnl = NULL;
	int n_fds = sandbox_count_fds();

	for (int single = 0; single <= 1; single++) {
		struct flannel_error *error = NULL;

		cr_expect_eq(fl_rtnl_open(mount, single, &rtnl, &error), -EINVAL);
		sandbox_expect_error(&error, -EINVAL, "network namespace");
		cr_expect_null(rtnl);
	}
	cr_expect_eq(sandbox_count_fds(), n_fds);
}

Test(rtnl, request_keeps_errno_and_the_kernels_words)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = NULL, *second = NULL;
	const struct ifinfomsg header = {0};
	struct flannel_error *error = NULL;

	sandbox_enter();
	cr_assert_eq(fl_rtnl_open(-1, false, &rtnl, NULL), 0);
	message = make_getlink(4711);
	cr_expect_eq(fl_rtnl_request(rtnl, message, NULL, NULL, &error, "look for %s", "it"), -ENODEV);
	cr_assert_not_null(error);
	cr_expect_str_eq(flannel_error_get_area(error), "rtnl");
	cr_expect_str_eq(flannel_error_get_operation(error), "look for it");
	cr_expect_str_eq(flannel_error_get_detail(error), "No such device");
	cr_expect_eq(flannel_error_is_retryable(error), 0);
	error = flannel_error_unref(error);

	second = fl_rtnl_message(RTM_NEWLINK, NLM_F_CREATE, &header, sizeof(header));
	cr_assert_eq(nla_put_u32(second, IFLA_MASTER, 4711), 0);
	cr_expect_eq(fl_rtnl_request(rtnl, second, NULL, NULL, &error, "make nothing"), -EOPNOTSUPP);
	sandbox_expect_error(&error, -EOPNOTSUPP, "make nothing: Unknown device type");
	cr_expect_eq(fl_rtnl_request(rtnl, second, NULL, NULL, NULL, "make nothing"), -EOPNOTSUPP);
}

Test(rtnl, request_without_privilege)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = NULL;
	const struct ifinfomsg header = {.ifi_index = 1};
	struct flannel_error *error = NULL;

	sandbox_enter();
	cr_assert_eq(setresuid(65534, 65534, 65534), 0);
	cr_assert_eq(fl_rtnl_open(-1, false, &rtnl, NULL), 0);
	message = fl_rtnl_message(RTM_SETLINK, 0, &header, sizeof(header));
	cr_expect_eq(fl_rtnl_request(rtnl, message, NULL, NULL, &error, "set lo"), -EPERM);
	sandbox_expect_error(&error, -EPERM, "set lo: Operation not permitted");
}

Test(rtnl, a_callback_can_end_a_dump_and_the_socket_stays_usable)
{
	const struct {
		int stop_at, stop_with, result;
	} cases[] = {{0, 0, 0}, {1, 5, 5}, {2, -ENOANO, -ENOANO}, {1, -ENOMEM, -ENOMEM}, {0, 0, 0}};
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;

	sandbox_enter();
	/* more than fits into one datagram */
	sandbox_run("seq -f 'link add b%%g type bridge' 60 | ip -batch -");
	cr_assert_eq(fl_rtnl_open(-1, false, &rtnl, NULL), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct counter counter = {.stop_at = cases[i].stop_at, .stop_with = cases[i].stop_with};
		FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = make_getlink(0);
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		int r = fl_rtnl_dump(rtnl, message, count, &counter, &error, "count links");

		cr_expect_eq(r, cases[i].result, "case %zu: %d", i, r);
		cr_expect_eq(counter.n, cases[i].stop_at > 0 ? cases[i].stop_at : 61);
		cr_expect_eq(flannel_error_get_code(error), r < 0 ? r : 0);
		cr_expect_eq(flannel_error_is_retryable(error), r == -ENOMEM);
	}
}

Test(rtnl, strict_checking_is_on)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = NULL;
	const struct ifinfomsg header = {.ifi_type = 1};
	struct counter counter = {0};
	struct flannel_error *error = NULL;

	sandbox_enter();
	cr_assert_eq(fl_rtnl_open(-1, false, &rtnl, NULL), 0);
	message = fl_rtnl_message(RTM_GETLINK, 0, &header, sizeof(header));
	cr_expect_eq(fl_rtnl_dump(rtnl, message, count, &counter, &error, "count links"), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "Invalid values in header");
	cr_expect_eq(counter.n, 0);
}

/* answers of an exchange that was given up lie in the queue: they must not be taken for those of the next */
Test(rtnl, stale_answers_are_passed_over)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *stale = make_getlink(4711), *message = make_getlink(1);
	struct counter counter = {0};

	sandbox_enter();
	cr_assert_eq(fl_rtnl_open(-1, false, &rtnl, NULL), 0);
	nlmsg_hdr(stale)->nlmsg_seq = 4242;
	nlmsg_hdr(stale)->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	for (int i = 0; i < 3; i++)
		cr_assert_gt(send(fl_rtnl_get_fd(rtnl), nlmsg_hdr(stale), nlmsg_hdr(stale)->nlmsg_len, 0), 0);
	cr_expect_eq(fl_rtnl_request(rtnl, message, count, &counter, NULL, "get lo"), 0);
	cr_expect_eq(counter.n, 1);
}

Test(rtnl, batch_gives_each_message_its_own_result)
{
	enum { N = 3000 };
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	FL_CLEANUP(fl_freep) struct flannel_error **errors = calloc(N, sizeof(*errors));
	FL_CLEANUP(fl_freep) int *results = calloc(N, sizeof(*results));
	FL_CLEANUP(fl_freep) struct nl_msg **messages = calloc(N, sizeof(*messages));

	sandbox_enter();
	cr_assert_eq(fl_rtnl_open(-1, false, &rtnl, NULL), 0);
	for (int i = 0; i < N; i++) {
		const struct ifaddrmsg header = {
			.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = i % 10 == 3 ? 4711 : 1};
		const uint8_t address[4] = {127, 1, (uint8_t)(i >> 8), (uint8_t)i};

		messages[i] = fl_rtnl_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
		cr_assert_eq(nla_put(messages[i], IFA_LOCAL, 4, address), 0);
	}
	cr_assert_eq(fl_rtnl_batch(rtnl, messages, N, results, errors, NULL), 0);
	for (int i = 0; i < N; i++) {
		cr_expect_eq(results[i], i % 10 == 3 ? -ENODEV : 0, "message %d: %d", i, results[i]);
		cr_expect_eq(flannel_error_get_code(errors[i]), results[i]);
		cr_expect_str_eq(flannel_error_get_operation(errors[i]), "");
		errors[i] = flannel_error_unref(errors[i]);
	}
	sandbox_expect("2700",
		       "ip -j -4 addr show dev lo | jq '[.[].addr_info[] | select(.prefixlen == 32)] | length'");
	/* the same without room for errors: all are there now */
	cr_assert_eq(fl_rtnl_batch(rtnl, messages, N, results, NULL, NULL), 0);
	for (int i = 0; i < N; i++) {
		cr_expect_eq(results[i], i % 10 == 3 ? -ENODEV : -EEXIST);
		fl_rtnl_message_free(messages[i]);
	}
	cr_expect_eq(fl_rtnl_batch(rtnl, NULL, 0, NULL, NULL, NULL), 0);
}

/* without privilege the receive buffer grows only as far as the machine allows: batches must get smaller then */
Test(rtnl, batch_fits_into_an_ordinary_receive_buffer)
{
	enum { N = 2000 };
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	FL_CLEANUP(fl_freep) int *results = calloc(N, sizeof(*results));
	FL_CLEANUP(fl_freep) struct nl_msg **messages = calloc(N, sizeof(*messages));

	sandbox_enter();
	cr_assert_eq(setresuid(65534, 65534, 65534), 0);
	cr_assert_eq(fl_rtnl_open(-1, false, &rtnl, NULL), 0);
	for (int i = 0; i < N; i++) {
		const struct rtmsg header = {.rtm_family = AF_INET};

		messages[i] = fl_rtnl_message(RTM_NEWROUTE, NLM_F_CREATE, &header, sizeof(header));
	}
	cr_assert_eq(fl_rtnl_batch(rtnl, messages, N, results, NULL, NULL), 0);
	for (int i = 0; i < N; i++) {
		cr_expect_eq(results[i], -EPERM, "message %d: %d", i, results[i]);
		fl_rtnl_message_free(messages[i]);
	}
}

/* The kernel goes on dropping until the queue has been empty: a socket that is not read empty would wait for ever. */
Test(rtnl, lost_answers_are_reported_and_the_socket_stays_usable, .timeout = 20)
{
	enum { N = 400 };
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	struct nl_msg *messages[N];
	struct flannel_error *error = NULL;
	struct fl_link_info info;
	const int tiny = 1;
	int results[N], n_lost = 0;

	sandbox_enter();
	cr_assert_eq(fl_rtnl_open(-1, false, &rtnl, NULL), 0);
	for (int i = 0; i < N; i++)
		messages[i] = make_getlink(4711);
	cr_assert_eq(fl_rtnl_batch(rtnl, messages, N, results, NULL, NULL), 0);
	/* the buffer has been enlarged, now somebody makes it small again */
	cr_assert_eq(setsockopt(fl_rtnl_get_fd(rtnl), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	cr_expect_eq(fl_rtnl_batch(rtnl, messages, N, results, NULL, &error), -ENOBUFS);
	cr_expect_eq(flannel_error_is_retryable(error), 1);
	sandbox_expect_error(&error, -ENOBUFS, "receive results of a batch");
	for (int i = 0; i < N; i++) {
		cr_expect(results[i] == -ENODEV || results[i] == -EIO, "message %d: %d", i, results[i]);
		n_lost += results[i] == -EIO;
		fl_rtnl_message_free(messages[i]);
	}
	cr_expect(n_lost > 0 && n_lost < N, "%d lost", n_lost);
	cr_expect_eq(fl_link_delete(rtnl, 4711, "nobody", NULL), 0);
	/* there is no room for the acknowledgement behind an answer */
	cr_expect_eq(fl_link_get(rtnl, "lo", &info, &error), -ENOBUFS);
	sandbox_expect_error(&error, -ENOBUFS, "get link lo");
	cr_expect_eq(fl_link_delete(rtnl, 4711, "nobody", NULL), 0);
}
