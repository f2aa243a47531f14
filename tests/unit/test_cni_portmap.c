/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration of the plugin portmap: what is read, what is refused, and what DEL makes of it. */
#include <criterion/criterion.h>
#include <netinet/in.h>

#include "cni_request.h"
#include "portmap_config.h"

#define MAPPED(mapping) "{\"runtimeConfig\": {\"portMappings\": [" mapping "]}}"
#define TCP "\"hostPort\": 80, \"containerPort\": 8080, \"protocol\": \"tcp\""

/* a configuration that is refused, and a part of why */
static const struct refusal {
	const char *text;
	unsigned int code;
	const char *part;
} refusals[] = {
	{MAPPED("{\"hostPort\": 0, \"containerPort\": 80, \"protocol\": \"tcp\"}"), 999,
	 "runtimeConfig.portMappings.0.hostPort is 0, expected 1 to 65535"},
	{MAPPED("{\"containerPort\": 80, \"protocol\": \"tcp\"}"), 999, "hostPort is missing"},
	{MAPPED("{\"hostPort\": 80, \"protocol\": \"tcp\"}"), 999, "containerPort is missing"},
	{MAPPED("{" TCP "}, {\"hostPort\": 65536, \"containerPort\": 80, \"protocol\": \"tcp\"}"), 999,
	 "portMappings.1.hostPort is 65536"},
	{MAPPED("{\"hostPort\": 80, \"containerPort\": -1, \"protocol\": \"tcp\"}"), 999, "containerPort is -1"},
	{MAPPED("{\"hostPort\": \"80\", \"containerPort\": 1, \"protocol\": \"tcp\"}"), 999, "hostPort"},
	{MAPPED("{\"hostPort\": 80, \"containerPort\": 80}"), 999, "protocol is \"\", expected tcp, udp or sctp"},
	{MAPPED("{\"hostPort\": 80, \"containerPort\": 80, \"protocol\": \"icmp\"}"), 999, "protocol is \"icmp\""},
	{MAPPED("{" TCP ", \"hostIP\": \"localhost\"}"), 999,
	 "runtimeConfig.portMappings.0.hostIP is \"localhost\", expected an IP address"},
	{MAPPED("{" TCP ", \"hostIP\": \"10.0.0.0/8\"}"), 999, "hostIP is \"10.0.0.0/8\""},
	{MAPPED("null"), 999, "portMappings.0 is null"},
	{MAPPED("7"), 999, "portMappings"},
	{"{\"backend\": \"ipfw\"}", 999, "backend is \"ipfw\", expected \"iptables\" or \"nftables\""},
	{"{\"markMasqBit\": 32}", 999, "markMasqBit is 32, expected 0 to 31"},
	{"{\"backend\": \"\"}", 999, "backend is \"\", expected \"iptables\" or \"nftables\""},
	{"{\"markMasqBit\": 1, \"externalSetMarkChain\": \"X\"}", 999, "one of them at most"},
	{"{\"markMasqBit\": 1, \"externalSetMarkChain\": \"\"}", 999, "one of them at most"},
	{"{\"backend\": \"nftables\", \"externalSetMarkChain\": \"X\", \"conditionsV6\": [\"-s\", \"::1\"]}", 999,
	 "expected another one for externalSetMarkChain conditionsV6"},
	{"{\"backend\": \"iptables\", \"conditionsV4\": [\"ip\", \"saddr\", \"1.2.3.4\"]}", 999, "conditionsV4"},
	{"{\"conditionsV4\": [1]}", 999, "conditionsV4"},
	{"{\"snat\": \"yes\"}", 999, "snat"},
};

Test(cni_portmap, refusals)
{
	for (size_t i = 0; i < N_CASES(refusals); i++) {
		struct cni_request request = cni_request_new(CNI_VERB_ADD, refusals[i].text);
		CNI_CLEANUP(cni_portmap_config_clear) struct cni_portmap_config config = {0};
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};

		cr_expect_eq(cni_portmap_config_read(&request, &config, &error), -1, "%s", refusals[i].text);
		cr_expect_eq(error.code, refusals[i].code, "%s: %u", refusals[i].text, error.code);
		cr_expect(error.message && strstr(error.message, refusals[i].part), "%s: %s", refusals[i].text,
			  error.message);
		json_object_put(request.config);
	}
}

/* reads a configuration that is right */
static struct cni_portmap_config read_config(const struct cni_request *request, bool for_del)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
	struct cni_portmap_config config = {0};
	int r = for_del ? cni_portmap_config_read_for_del(request, &config, &error)
			: cni_portmap_config_read(request, &config, &error);

	cr_assert_eq(r, 0, "%s", error.message);
	return config;
}

Test(cni_portmap, defaults)
{
	struct cni_request request = cni_request_new(CNI_VERB_ADD, "{}");
	CNI_CLEANUP(cni_portmap_config_clear) struct cni_portmap_config config = read_config(&request, false);

	cr_expect_eq(config.n_mappings, 0);
	cr_expect_eq(config.flags, FLANNEL_PORT_MAP_SNAT);
	cr_expect_str_eq(config.backend, "");
	json_object_put(request.config);
}

Test(cni_portmap, everything)
{
	struct cni_request request = cni_request_new(
		CNI_VERB_ADD,
		"{\"masqAll\": true, \"backend\": \"iptables\", \"externalSetMarkChain\": \"X\","
		" \"conditionsV4\": [\"!\", \"-s\", \"10.0.0.0/8\"], \"conditionsV6\": [],"
		" \"runtimeConfig\": {\"portMappings\": [{" TCP ", \"hostIP\": \"\"},"
		" {\"hostPort\": 65535, \"containerPort\": 1, \"protocol\": \"SCTP\", \"hostIP\": "
		"\"::ffff:192.0.2.1\"},"
		" {\"hostPort\": 1, \"containerPort\": 65535, \"protocol\": \"udp\", \"hostIP\": \"2001:db8::1\"}]}}");
	CNI_CLEANUP(cni_portmap_config_clear) struct cni_portmap_config config = read_config(&request, false);

	cr_assert_eq(config.n_mappings, 3);
	cr_expect_eq(config.mappings[0].protocol, IPPROTO_TCP);
	cr_expect_eq(config.mappings[0].host_address.family, AF_UNSPEC);
	cr_expect_eq(config.mappings[1].protocol, IPPROTO_SCTP);
	cr_expect_eq(config.mappings[1].host_port, 65535);
	cr_expect_eq(config.mappings[1].host_address.family, AF_INET);
	cr_expect_eq(config.mappings[1].host_address.plen, 32);
	cr_expect_eq(config.mappings[2].protocol, IPPROTO_UDP);
	cr_expect_eq(config.mappings[2].container_port, 65535);
	cr_expect_eq(config.mappings[2].host_address.plen, 128);
	cr_expect_eq(config.flags, FLANNEL_PORT_MAP_SNAT | FLANNEL_PORT_MAP_MASQUERADE_ALL);
	cr_expect(config.has_mark_chain);
	cr_assert_eq(config.n_conditions_ipv4, 3);
	cr_expect_str_eq(config.conditions_ipv4[2], "10.0.0.0/8");
	cr_expect_eq(config.n_conditions_ipv6, 0);
	json_object_put(request.config);
}

/* masqAll means nothing without snat */
Test(cni_portmap, no_snat)
{
	struct cni_request request = cni_request_new(CNI_VERB_ADD, "{\"snat\": false, \"masqAll\": true}");
	CNI_CLEANUP(cni_portmap_config_clear) struct cni_portmap_config config = read_config(&request, false);

	cr_expect_eq(config.flags, 0);
	json_object_put(request.config);
}

/* what ADD refused must not keep DEL from removing what it can */
Test(cni_portmap, del_is_lenient)
{
	struct cni_request request = cni_request_new(
		CNI_VERB_DEL,
		"{\"backend\": \"ipfw\", \"markMasqBit\": 99, \"runtimeConfig\": {\"portMappings\": [null, {" TCP "},"
		" {\"hostPort\": 70000, \"containerPort\": 1, \"protocol\": \"tcp\"}]}}");
	CNI_CLEANUP(cni_portmap_config_clear) struct cni_portmap_config config = read_config(&request, true);

	cr_assert_eq(config.n_mappings, 1);
	cr_expect_eq(config.mappings[0].host_port, 80);
	json_object_put(request.config);
}
