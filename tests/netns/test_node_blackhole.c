/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The blackhole route for the own subnets: what is sent to a pod that is not there goes nowhere. */

#include <criterion/criterion.h>

#include "node_lab.h"

#define SUBNET_FILE "FLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64\n"
#define BLACKHOLES                                                                                                     \
	"for f in -4 -6; do ip $f -j -d route show type blackhole | jq -r '.[] | .type + \" \" + .dst + \" \" + "      \
	".protocol + \" \" + (.metric | tostring)'; done"
#define BOTH "blackhole 10.244.1.0/24 241 1000000\nblackhole fd00:10:244:1::/64 241 1000000"

/* a node of both families with the option */
static void start(struct lab *lab)
{
	lab_open(lab, LAB_CONFIG_DUAL);
	lab_write_file(lab->subnet_file, SUBNET_FILE);
	lab->options.blackhole_route = 1;
}

/* there from the start, beside the bridge's route, which is the one that counts; put back; gone without the option */
Test(node_blackhole, life)
{
	struct lab lab;

	start(&lab);
	lab_start_ready(&lab);
	sandbox_expect(BOTH, BLACKHOLES);
	sandbox_expect("RTNETLINK answers: Invalid argument", "ip route get 10.244.1.7 2>&1");
	sandbox_run("ip link add cni0 type bridge && ip link set cni0 up && ip address add 10.244.1.1/24 dev cni0 && "
		    "ip address add fd00:10:244:1::1/64 dev cni0 nodad");
	sandbox_expect("cni0 cni0", "echo $(ip -j route get 10.244.1.7 | jq -r '.[].dev') "
				    "$(ip -j -6 route get fd00:10:244:1::7 | jq -r '.[].dev')");
	sandbox_expect(BOTH, BLACKHOLES);
	sandbox_run("ip route delete blackhole 10.244.1.0/24 metric 1000000");
	lab_await(&lab, FLANNEL_EVENT_REPAIRED);
	cr_expect_str_eq(lab.last_text, "blackhole route 10.244.1.0/24 metric 1000000", "%s", lab.last_text);
	sandbox_run("ip -6 route delete fd00:10:244:1::/64 metric 1000000");
	lab_await(&lab, FLANNEL_EVENT_REPAIRED);
	sandbox_expect(BOTH, BLACKHOLES);
	/* it stays when the agent ends; the next one without the option removes it */
	lab_stop(&lab);
	sandbox_expect(BOTH, BLACKHOLES);
	lab.options.blackhole_route = 0;
	lab_start_ready(&lab);
	sandbox_expect("", BLACKHOLES);
	lab_close(&lab);
}

/* somebody else's blackhole for the subnet stands beside ours and is left alone */
Test(node_blackhole, others)
{
	struct lab lab;

	start(&lab);
	sandbox_run("ip route add blackhole 10.244.1.0/24 proto static");
	lab_start_ready(&lab);
	sandbox_expect("blackhole 10.244.1.0/24 static null\n" BOTH, BLACKHOLES);
	lab_close(&lab);
}
