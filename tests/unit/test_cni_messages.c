/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each plugin says of a configuration that is wrong. Nothing is done by then, so nothing is needed. */
#include "cni_call.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "print.h"
#include "subnet_env.h"

#define NAME "\"cniVersion\": \"1.1.0\", \"name\": \"n\""
#define CIDR "expected an IP address with a length, such as 10.1.0.0/16"

Test(cni_messages, keys_of_every_plugin)
{
	/* prevResult in full is in test_cni_result.c */
	static const struct cni_case cases[] = {
		{"{" NAME ", \"type\": 1}", 999, "type is 1, expected a string", NULL},
		{"{" NAME ", \"capabilities\": []}", 999, "capabilities is [], expected an object", NULL},
		{"{" NAME ", \"capabilities\": {\"mac\": 1}}", 999, "capabilities.mac is 1, expected true or false",
		 NULL},
		{"{" NAME ", \"dns\": []}", 999, "dns is [], expected an object", NULL},
		{"{" NAME ", \"dns\": {\"search\": \"x\"}}", 999, "dns.search is \"x\", expected a list", NULL},
		{"{" NAME ", \"args\": 1}", 999, "args is 1, expected an object", NULL},
		{"{" NAME ", \"prevResult\": \"\"}", 999, "prevResult is \"\", expected an object", NULL},
		{"{" NAME ", \"runtimeConfig\": []}", 999, "runtimeConfig is [], expected an object", NULL},
	};

	cni_cases_expect(&cni_plugin_flannel, CNI_VERB_ADD, cases, CNI_N_ELEMENTS(cases));
	cni_cases_expect(&cni_plugin_bridge, CNI_VERB_ADD, cases, CNI_N_ELEMENTS(cases));
}

Test(cni_messages, flannel_keys)
{
	static const struct cni_case cases[] = {
		{"{" NAME ", \"subnetFile\": 1}", 999, "subnetFile is 1, expected a string", NULL},
		{"{" NAME ", \"dataDir\": {}}", 999, "dataDir is {}, expected a string", NULL},
		{"{" NAME ", \"delegate\": \"bridge\"}", 999, "delegate is \"bridge\", expected an object", NULL},
		{"{" NAME ", \"ipam\": []}", 999, "ipam is [], expected an object", NULL},
		{"{" NAME ", \"subnetFile\": \"/nonexistent/subnet.env\"}", 999,
		 "flannel's subnet file /nonexistent/subnet.env: No such file or directory; ...", NULL},
	};
	static const enum cni_verb verbs[] = {CNI_VERB_ADD, CNI_VERB_STATUS};
	static const struct cni_case unavailable = {
		"{" NAME ", \"subnetFile\": \"/nonexistent/subnet.env\"}", CNI_ERROR_UNAVAILABLE,
		"flannel's subnet file /nonexistent/subnet.env: No such file or directory; flanneld writes it when it "
		"has "
		"a subnet, see its log; nobody answers at /nonexistent/flanneld.sock: No such file or directory",
		NULL};

	for (size_t i = 0; i < CNI_N_ELEMENTS(verbs); i++)
		cni_cases_expect(&cni_plugin_flannel, verbs[i], cases, CNI_N_ELEMENTS(cases) - 1);
	cni_cases_expect(&cni_plugin_flannel, CNI_VERB_ADD, cases, CNI_N_ELEMENTS(cases));
	cni_cases_expect(&cni_plugin_flannel, CNI_VERB_STATUS, &unavailable, 1);
}

/* a file that is there for one test; the descriptor is its only other trace */
struct temporary {
	char path[64];
};

/* writes a file */
static void write_temporary(struct temporary *file, const char *text)
{
	int fd;

	(void)snprintf(file->path, sizeof(file->path), "/tmp/flannel-messages-XXXXXX");
	fd = mkstemp(file->path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(cni_write(fd, text, strlen(text)), 0);
	close(fd);
}

#define SUBNET_ENV                                                                                                     \
	"FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"

Test(cni_messages, flannel_delegates)
{
	static const struct {
		const char *keys;
		const char *message;
	} cases[] = {
		{"\"delegate\": {\"name\": \"x\"}", "delegate.name is set, expected it to be left to flannel"},
		{"\"delegate\": {\"ipam\": null}", "delegate.ipam is set, expected it to be left to flannel"},
		{"\"delegate\": {\"x\": [{\"y\": 1e999}]}",
		 "delegate, ipam or runtimeConfig holds a number that is too large, expected one below 1e309"},
		{"\"delegate\": {\"type\": 1}", "delegate.type is no string, expected the name of a plugin"},
		{"\"delegate\": {\"type\": null}", "delegate.type is no string, expected the name of a plugin"},
		{"\"delegate\": {\"type\": \"\"}", "delegate.type is \"\", expected the name of a plugin"},
		{"\"delegate\": {\"type\": \"a/b\"}", "delegate.type is \"a/b\", expected the name of a plugin"},
		{"\"delegate\": {\"type\": \"..\"}", "delegate.type is \"..\", expected the name of a plugin"},
		{"\"delegate\": {\"type\": \"flannel\"}", "delegate.type is \"flannel\", expected another plugin"},
		{"\"ipam\": {\"routes\": {}}", "ipam.routes is {}, expected a list"},
		{"\"ipam\": {\"routes\": [{\"dst\": \"x\"}]}", "ipam.routes.0.dst is \"x\", " CIDR},
		{"\"ipam\": {\"routes\": [{\"dst\": \"10.0.0.0/8\", \"gw\": 1}]}",
		 "ipam.routes.0.gw is 1, expected a string"},
	};
	struct temporary file;

	write_temporary(&file, SUBNET_ENV);
	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		CNI_CLEANUP(cni_freep) char *config = NULL;
		struct cni_case call = {.code = 999, .message = cases[i].message};

		cr_assert_geq(asprintf(&config,
				       "{" NAME ", \"subnetFile\": \"%s\", \"dataDir\": \"/nonexistent/state\", %s}",
				       file.path, cases[i].keys),
			      0);
		call.config = config;
		cni_cases_expect(&cni_plugin_flannel, CNI_VERB_ADD, &call, 1);
		cni_cases_expect(&cni_plugin_flannel, CNI_VERB_STATUS, &call, 1);
	}
	unlink(file.path);
}

Test(cni_messages, subnet_files)
{
	static const struct {
		const char *text;
		const char *message; /* NULL: it is accepted */
	} cases[] = {
		{SUBNET_ENV, NULL},
		{"FLANNEL_NETWORK=10.244.0.0/16,10.245.0.0/16,10.244.7.0/16\r\nFLANNEL_SUBNET=10.244.1.1/"
		 "24\r\nFLANNEL_MTU=0\r\n"
		 "FLANNEL_IPMASQ=\r\n",
		 NULL},
		{SUBNET_ENV "# no comment, but unknown\nOTHER=1\n\n", NULL},
		{SUBNET_ENV "FLANNEL_OTHER\nFLANNEL_\n", NULL},
		{"FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00::1/"
		 "64\nFLANNEL_MTU=4294967295\nFLANNEL_IPMASQ=no",
		 NULL},
		{"", "it lacks FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, "
		     "FLANNEL_MTU, FLANNEL_IPMASQ"},
		{"FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_IPV6_SUBNET=fd00::1/64\n",
		 "it lacks FLANNEL_MTU, FLANNEL_IPMASQ"},
		{"FLANNEL_NETWORK=10.244.0.0\n", "FLANNEL_NETWORK is \"10.244.0.0\", " CIDR},
		{"FLANNEL_NETWORK=10.244.0.0/16,\n", "FLANNEL_NETWORK is \"\", " CIDR},
		{"FLANNEL_IPV6_NETWORK=fd00::/129\n", "FLANNEL_IPV6_NETWORK is \"fd00::/129\", " CIDR},
		{"FLANNEL_SUBNET=10.244.1.1/24 \n", "FLANNEL_SUBNET is \"10.244.1.1/24 \", " CIDR},
		{"FLANNEL_SUBNET=\"10.244.1.1/24\"\n", "FLANNEL_SUBNET is \"\"10.244.1.1/24\"\", " CIDR},
		{"FLANNEL_IPV6_SUBNET=\n", "FLANNEL_IPV6_SUBNET is \"\", " CIDR},
		{"FLANNEL_MTU=\n", "FLANNEL_MTU is \"\", expected a number of bytes"},
		{"FLANNEL_MTU=-1\n", "FLANNEL_MTU is \"-1\", expected a number of bytes"},
		{"FLANNEL_MTU=1450x\n", "FLANNEL_MTU is \"1450x\", expected a number of bytes"},
		{"FLANNEL_MTU=4294967296\n", "FLANNEL_MTU is \"4294967296\", expected a number of bytes"},
		{"FLANNEL_MTU\n", "the line \"FLANNEL_MTU\" has no \"=\", expected KEY=VALUE"},
	};

	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		CNI_CLEANUP(cni_subnet_env_clear) struct cni_subnet_env env = {0};
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct temporary file;
		const char *tail;
		int r;

		write_temporary(&file, cases[i].text);
		r = cni_subnet_env_read(file.path, &env, &error);
		unlink(file.path);
		cr_expect_eq(r, cases[i].message ? -1 : 0, "%s: %s", cases[i].text, error.message);
		if (!cases[i].message)
			continue;
		tail = error.message ? strstr(error.message, "see its log): ") : NULL;
		cr_expect_str_eq(tail ? tail + strlen("see its log): ") : "(none)", cases[i].message, "%s: %s",
				 cases[i].text, error.message);
	}
}

Test(cni_messages, subnet_file_with_a_long_line)
{
	CNI_CLEANUP(cni_subnet_env_clear) struct cni_subnet_env env = {0};
	CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
	CNI_CLEANUP(cni_freep) char *text = malloc(70001);
	struct temporary file;

	cr_assert(text);
	memset(text, 'x', 70000);
	text[70000] = '\0';
	write_temporary(&file, text);
	cr_expect_eq(cni_subnet_env_read(file.path, &env, &error), -1);
	unlink(file.path);
	cr_expect(error.message && strstr(error.message, "a line is longer than 65536 bytes"), "%s", error.message);
}

#define IPAM(keys) "{" NAME ", \"ipam\": {" keys "}}"
#define RANGE(keys) IPAM("\"ranges\": [[{" keys "}]]")

Test(cni_messages, host_local)
{
	static const struct cni_case cases[] = {
		{"{" NAME "}", 999, "ipam is missing, expected an object with ranges", NULL},
		{"{" NAME ", \"ipam\": 5}", 999, "ipam is 5, expected an object", NULL},
		{IPAM(""), 999, "ipam.ranges is missing, expected at least one range set", NULL},
		{IPAM("\"ranges\": {}"), 999, "ipam.ranges is {}, expected a list", NULL},
		{IPAM("\"ranges\": [{}]"), 999, "ipam.ranges.0 is no list, expected a list of ranges", NULL},
		{IPAM("\"ranges\": [[]]"), 999, "ipam.ranges.0 is empty, expected a range", NULL},
		{IPAM("\"ranges\": [[{\"subnet\": \"10.1.0.0/16\"}], null]"), 999,
		 "ipam.ranges.1 is empty, expected a range", NULL},
		{IPAM("\"ranges\": [[null]]"), 999, "ipam.ranges.0.0 is null, expected a range", NULL},
		{IPAM("\"ranges\": [[5]]"), 999, "ipam.ranges.0.0 is 5, expected an object", NULL},
		{RANGE("\"subnet\": 5"), 999, "ipam.ranges.0.0.subnet is 5, expected a string", NULL},
		{RANGE("\"subnet\": \"10.1.0.0\""), 999, "ipam.ranges.0.0.subnet is \"10.1.0.0\", " CIDR, NULL},
		{RANGE("\"subnet\": \"10.1.0.0/16\", \"rangeStart\": \"x\""), 999,
		 "ipam.ranges.0.0.rangeStart is \"x\", expected an IP address", NULL},
		{RANGE("\"subnet\": \"10.1.0.0/16\", \"rangeEnd\": 1"), 999,
		 "ipam.ranges.0.0.rangeEnd is 1, expected a string", NULL},
		{RANGE("\"subnet\": \"10.1.0.0/16\", \"gateway\": \"10.1.0.1/16\""), 999,
		 "ipam.ranges.0.0.gateway is \"10.1.0.1/16\", expected an IP address", NULL},
		{IPAM("\"subnet\": \"x\""), 999, "ipam.subnet is \"x\", " CIDR, NULL},
		{IPAM("\"subnet\": \"10.1.0.0/16\", \"routes\": [{\"dst\": \"x\"}]"), 999,
		 "ipam.routes.0.dst is \"x\", " CIDR, NULL},
		{IPAM("\"subnet\": \"10.1.0.0/16\", \"dataDir\": 1"), 999, "ipam.dataDir is 1, expected a string",
		 NULL},
		{IPAM("\"subnet\": \"10.1.0.0/16\", \"resolvConf\": 1"), 999, "ipam.resolvConf is 1, expected a string",
		 NULL},
		{IPAM("\"subnet\": \"10.1.0.0/16\", \"resolvConf\": \"/nonexistent/r\""), 999,
		 "ipam.resolvConf: open /nonexistent/r: No such file or directory", NULL},
		{"{" NAME ", \"runtimeConfig\": {\"ipRanges\": 1}, \"ipam\": {}}", 999,
		 "runtimeConfig.ipRanges is 1, expected a list", NULL},
		{"{" NAME ", \"runtimeConfig\": {\"ips\": [\"x\"]}, \"ipam\": {}}", 999,
		 "runtimeConfig.ips is \"x\", expected an IP address", NULL},
		{"{" NAME ", \"runtimeConfig\": {\"ips\": \"10.0.0.1\"}, \"ipam\": {}}", 999,
		 "runtimeConfig.ips is \"10.0.0.1\", expected a list", NULL},
		{"{" NAME ", \"runtimeConfig\": {\"ips\": [1]}, \"ipam\": {}}", 999,
		 "runtimeConfig.ips is [1], expected a list of strings", NULL},
		{"{" NAME ", \"args\": {\"cni\": {\"ips\": [\"10.0.0.1/x\"]}}, \"ipam\": {}}", 999,
		 "args.cni.ips is \"10.0.0.1/x\", " CIDR, NULL},
		{"{" NAME ", \"args\": {\"cni\": 1}, \"ipam\": {}}", 999, "args.cni is 1, expected an object", NULL},
		{IPAM(""), 999, "IP in CNI_ARGS is \"x\", expected an IP address", "IP=x"},
		{IPAM(""), 999, "CNI_ARGS has the key MAC, which is unknown; IgnoreUnknown=1 would allow it", "MAC=x"},
		{"{\"cniVersion\": \"0.2.0\", \"name\": \"n\", \"ipam\": {\"ranges\": [[{\"subnet\": "
		 "\"10.1.0.0/16\"}], "
		 "[{\"subnet\": \"10.2.0.0/16\"}], [{\"subnet\": \"fd00::/64\"}]]}}",
		 999, "there are 2 range sets for IPv4 and 1 for IPv6, expected at most one each with cniVersion 0.2.0",
		 NULL},
		/* the rules of ranges themselves have a table of their own; here, that they are asked */
		{RANGE("\"subnet\": \"10.1.0.5/16\""), 999,
		 "check range set 0: subnet 10.1.0.5/16 has host bits set; the network is 10.1.0.0/16", NULL},
		{RANGE(""), 999, "check range set 0: subnet is missing", NULL},
	};

	cni_cases_expect(&cni_plugin_host_local, CNI_VERB_ADD, cases, CNI_N_ELEMENTS(cases));
}

Test(cni_messages, bridge)
{
	static const char *const booleans[] = {
		"isGateway",           "isDefaultGateway", "forceAddress", "hairpinMode",
		"promiscMode",         "portIsolation",    "enabledad",    "disableContainerInterface",
		"preserveDefaultVlan", "macspoofchk",      "ipMasq"};
	static const struct cni_case cases[] = {
		{"{" NAME ", \"bridge\": 1}", 999, "bridge is 1, expected a string", NULL},
		{"{" NAME ", \"mtu\": \"1500\"}", 999, "mtu is \"1500\", expected an integer", NULL},
		{"{" NAME ", \"mtu\": 1500.0}", 999, "mtu is 1500.0, expected an integer", NULL},
		{"{" NAME ", \"mtu\": 67}", 999, "mtu is 67, expected 68 to 65535, or 0", NULL},
		{"{" NAME ", \"mtu\": 65536}", 999, "mtu is 65536, expected 68 to 65535, or 0", NULL},
		{"{" NAME ", \"vlan\": 4095}", 999, "vlan is 4095, expected 0 to 4094", NULL},
		{"{" NAME ", \"vlan\": -1}", 999, "vlan is -1, expected 0 to 4094", NULL},
		{"{" NAME ", \"vlanTrunk\": {}}", 999, "vlanTrunk is {}, expected a list", NULL},
		{"{" NAME ", \"vlanTrunk\": [1]}", 999, "vlanTrunk.0 is 1, expected an object", NULL},
		{"{" NAME ", \"vlanTrunk\": [{\"id\": 0}]}", 999, "vlanTrunk.0.id is 0, expected 1 to 4094", NULL},
		{"{" NAME ", \"vlanTrunk\": [{\"minID\": 4095}]}", 999, "vlanTrunk.0.minID is 4095, expected 1 to 4094",
		 NULL},
		{"{" NAME ", \"vlanTrunk\": [{\"id\": 1}, {\"minID\": 5, \"maxID\": 4}]}", 999,
		 "vlanTrunk.1: expected minID and maxID, the first not above the second", NULL},
		{"{" NAME ", \"vlanTrunk\": [{\"maxID\": 4}]}", 999,
		 "vlanTrunk.0: expected minID and maxID, the first not above the second", NULL},
		{"{" NAME "}", 999, "CNI_ARGS has the key IP, which is unknown; IgnoreUnknown=1 would allow it",
		 "IP=10.0.0.1"},
		{"{" NAME ", \"ipam\": 1}", 999, "ipam is 1, expected an object", NULL},
		{"{" NAME ", \"ipam\": {\"type\": 1}}", 999, "ipam.type is 1, expected a string", NULL},
		{"{" NAME ", \"disableContainerInterface\": true, \"ipam\": {\"type\": \"host-local\"}}", 999,
		 "disableContainerInterface is true, expected no ipam.type with it", NULL},
		{"{" NAME ", \"hairpinMode\": true, \"promiscMode\": true}", 999,
		 "hairpinMode and promiscMode are true, expected one of them at most", NULL},
		{"{" NAME ", \"ipMasqBackend\": 1}", 999, "ipMasqBackend is 1, expected a string", NULL},
		{"{" NAME ", \"runtimeConfig\": {\"mac\": \"x\"}}", 999,
		 "mac is \"x\", expected a MAC address such as 02:00:00:00:00:01", NULL},
		{"{" NAME ", \"runtimeConfig\": {\"mac\": 1}}", 999, "runtimeConfig.mac is 1, expected a string", NULL},
		{"{" NAME ", \"args\": {\"cni\": {\"mac\": 1}}}", 999, "args.cni.mac is 1, expected a string", NULL},
		{"{" NAME ", \"args\": {\"cni\": []}}", 999, "args.cni is [], expected an object", NULL},
		{"{\"name\": \"n\", \"cniVersion\": \"0.2.0\"}", 999,
		 "cniVersion 0.2.0 cannot express a result without an address; use 0.3.0 or later", NULL},
		{"{" NAME "}", 999, "CNI_NETNS...", NULL},
	};

	cni_cases_expect(&cni_plugin_bridge, CNI_VERB_ADD, cases, CNI_N_ELEMENTS(cases));
	for (size_t i = 0; i < CNI_N_ELEMENTS(booleans); i++) {
		CNI_CLEANUP(cni_freep) char *config = NULL;
		CNI_CLEANUP(cni_freep) char *message = NULL;
		struct cni_case call = {.code = 999};

		cr_assert_geq(asprintf(&config, "{" NAME ", \"%s\": \"true\"}", booleans[i]), 0);
		cr_assert_geq(asprintf(&message, "%s is \"true\", expected true or false", booleans[i]), 0);
		call.config = config;
		call.message = message;
		cni_cases_expect(&cni_plugin_bridge, CNI_VERB_ADD, &call, 1);
	}
}

Test(cni_messages, previous_results)
{
	static const struct cni_case cases[] = {
		{"{" NAME ", \"prevResult\": {\"cniVersion\": \"0.4.0\"}}", 999,
		 "prevResult.cniVersion is \"0.4.0\", expected a version with the same form as 1.1.0", NULL},
		{"{" NAME ", \"prevResult\": {\"cniVersion\": 1}}", 999,
		 "prevResult.cniVersion is 1, expected a string", NULL},
		{"{" NAME ", \"prevResult\": {\"ips\": [{\"address\": \"x\"}]}}", 999,
		 "prevResult.ips.0.address is \"x\", " CIDR, NULL},
		{"{" NAME ", \"prevResult\": 1}", 999, "prevResult is 1, expected an object", NULL},
	};

	cni_cases_expect(&cni_plugin_loopback, CNI_VERB_ADD, cases, CNI_N_ELEMENTS(cases));
	cni_cases_expect(&cni_plugin_bridge, CNI_VERB_CHECK, cases, CNI_N_ELEMENTS(cases));
}
