/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Results: every form read and written as every other, and what is refused. */
#include "result.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "decode.h"
#include "print.h"

/* JSON from its text, with ' in place of " */
static struct json_object *parse(const char *text)
{
	CNI_CLEANUP(cni_freep) char *copy = strdup(text);
	CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
	struct json_object *value = NULL;

	for (char *at = copy; *at != '\0'; at++) {
		if (*at == '\'')
			*at = '"';
	}
	cr_assert_eq(cni_json_parse(copy, strlen(copy), &value, &error), 0, "%s: %s", copy, error.message);
	return value;
}

/* the same result in the three forms, and what is lost on the way down */
#define LEGACY                                                                                                         \
	"{'cniVersion':'%','ip4':{'ip':'10.1.0.2/16','gateway':'10.1.0.1','routes':[{'dst':'0.0.0.0/"                  \
	"0','gw':'10.1.0.1'},"                                                                                         \
	"{'dst':'10.9.0.0/16'}]},'ip6':{'ip':'fd00::2/64'},'dns':{'nameservers':['10.1.0.9'],'domain':'d'}}"
#define LISTS                                                                                                          \
	"{'cniVersion':'%','interfaces':[{'name':'cni0','mac':'02:00:00:00:00:01'},{'name':'eth0','sandbox':'/n'}],"   \
	"'ips':[{'version':'4','interface':1,'address':'10.1.0.2/16','gateway':'10.1.0.1'},"                           \
	"{'version':'6','interface':0,'address':'fd00::2/64'},{'version':'4','address':'10.2.0.2/16'}],"               \
	"'routes':[{'dst':'0.0.0.0/0','gw':'10.1.0.1'},{'dst':'10.9.0.0/16','mtu':1400,'advmss':1360,'priority':7,"    \
	"'table':0,'scope':0}],'dns':{'nameservers':['10.1.0.9'],'domain':'d'}}"
#define FAMILY1                                                                                                        \
	"{'cniVersion':'%','dns':{'domain':'d','nameservers':['10.1.0.9']},"                                           \
	"'interfaces':[{'mac':'02:00:00:00:00:01'%mtu,'name':'cni0'%pci},{'name':'eth0','sandbox':'/n'%socket}],"      \
	"'ips':[{'address':'10.1.0.2/16','gateway':'10.1.0.1','interface':1},{'address':'fd00::2/64','interface':0},"  \
	"{'address':'10.2.0.2/16'}],'routes':[{'dst':'0.0.0.0/0','gw':'10.1.0.1'},"                                    \
	"{'advmss':1360,'dst':'10.9.0.0/16','mtu':1400,'priority':7,'scope':0,'table':0}]}"

/* replaces each occurrence of a mark; free() it */
static char *replace(const char *text, const char *mark, const char *with)
{
	CNI_CLEANUP(cni_freep) char *result = strdup("");
	const char *at;

	while ((at = strstr(text, mark))) {
		char *longer = NULL;

		cr_assert_geq(asprintf(&longer, "%s%.*s%s", result, (int)(at - text), text, with), 0);
		free(result);
		result = longer;
		text = at + strlen(mark);
	}
	{
		char *whole = NULL;

		cr_assert_geq(asprintf(&whole, "%s%s", result, text), 0);
		return whole;
	}
}

/* a form filled in: with the fields of interfaces that are new in 1.1.0, or without */
static char *fill(const char *form, const char *version, bool rich)
{
	CNI_CLEANUP(cni_freep) char *mtu = replace(form, "%mtu", rich ? ",'mtu':1450" : "");
	CNI_CLEANUP(cni_freep) char *pci = replace(mtu, "%pci", rich ? ",'pciID':'0000:00:1f.6'" : "");
	CNI_CLEANUP(cni_freep) char *path = replace(pci, "%socket", rich ? ",'socketPath':'/s'" : "");
	CNI_CLEANUP(cni_freep) char *quoted = replace(path, "%", version);

	return replace(quoted, "'", "\"");
}

/* reads a text as a result and writes it in another version; NULL with an error */
static char *convert(const char *text, const char *version, struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *from = parse(text);
	CNI_CLEANUP(cni_json_putp) struct json_object *to = NULL;
	CNI_CLEANUP(cni_result_clear) struct cni_result result = {0};

	if (cni_result_parse(from, version, "result", &result, error) < 0 ||
	    cni_result_format(&result, version, &to, error) < 0)
		return NULL;
	return cni_format_compact(to, 0);
}

/* one direction of one pair of versions */
static void expect_conversion(const char *form, const char *from, bool rich, const char *expected_form, const char *to,
			      bool expected_rich)
{
	CNI_CLEANUP(cni_freep) char *input = fill(form, from, rich);
	CNI_CLEANUP(cni_freep) char *expected = fill(expected_form, to, expected_rich);
	CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
	CNI_CLEANUP(cni_freep) char *output = convert(input, to, &error);

	cr_expect_str_eq(output ? output : error.message, expected, "%s -> %s\n  found    %s\n  expected %s", from, to,
			 output ? output : error.message, expected);
}

/* what a legacy result looks like in the later forms: no interfaces, the routes of both families behind each other */
#define LEGACY_AS_LISTS                                                                                                \
	"{'cniVersion':'%','ips':[{'version':'4','address':'10.1.0.2/16','gateway':'10.1.0.1'},"                       \
	"{'version':'6','address':'fd00::2/64'}],'routes':[{'dst':'0.0.0.0/0','gw':'10.1.0.1'},{'dst':'10.9.0.0/"      \
	"16'}],"                                                                                                       \
	"'dns':{'nameservers':['10.1.0.9'],'domain':'d'}}"
#define LEGACY_AS_FAMILY1                                                                                              \
	"{'cniVersion':'%','dns':{'domain':'d','nameservers':['10.1.0.9']},"                                           \
	"'ips':[{'address':'10.1.0.2/16','gateway':'10.1.0.1'},{'address':'fd00::2/64'}],"                             \
	"'routes':[{'dst':'0.0.0.0/0','gw':'10.1.0.1'},{'dst':'10.9.0.0/16'}]}"

Test(cni_result, every_form_as_every_other)
{
	static const char *const legacy[] = {"0.1.0", "0.2.0"};
	static const char *const lists[] = {"0.3.0", "0.3.1", "0.4.0"};
	static const char *const family1[] = {"1.0.0", "1.1.0"};

	for (size_t a = 0; a < CNI_N_ELEMENTS(legacy); a++) {
		for (size_t b = 0; b < CNI_N_ELEMENTS(legacy); b++)
			expect_conversion(LEGACY, legacy[a], false, LEGACY, legacy[b], false);
		for (size_t b = 0; b < CNI_N_ELEMENTS(lists); b++) {
			expect_conversion(LEGACY, legacy[a], false, LEGACY_AS_LISTS, lists[b], false);
			expect_conversion(LISTS, lists[b], false, LEGACY, legacy[a], false);
		}
		for (size_t b = 0; b < CNI_N_ELEMENTS(family1); b++) {
			expect_conversion(LEGACY, legacy[a], false, LEGACY_AS_FAMILY1, family1[b], false);
			expect_conversion(FAMILY1, family1[b], true, LEGACY, legacy[a], false);
		}
	}
	for (size_t a = 0; a < CNI_N_ELEMENTS(lists); a++) {
		for (size_t b = 0; b < CNI_N_ELEMENTS(lists); b++)
			expect_conversion(LISTS, lists[a], false, LISTS, lists[b], false);
		for (size_t b = 0; b < CNI_N_ELEMENTS(family1); b++) {
			expect_conversion(LISTS, lists[a], false, FAMILY1, family1[b], false);
			expect_conversion(FAMILY1, family1[b], true, LISTS, lists[a], false);
		}
	}
	for (size_t a = 0; a < CNI_N_ELEMENTS(family1); a++) {
		for (size_t b = 0; b < CNI_N_ELEMENTS(family1); b++)
			expect_conversion(FAMILY1, family1[a], true, FAMILY1, family1[b], true);
	}
}

Test(cni_result, edges)
{
	static const struct {
		const char *input;
		const char *version;
		const char *output;
	} cases[] = {
		/* a result without a version has that of the configuration */
		{"{}", "1.1.0", "{'cniVersion':'1.1.0'}"},
		{"{}", "0.4.0", "{'cniVersion':'0.4.0','dns':{}}"},
		{"{'cniVersion':'','ip4':{'ip':'10.0.0.1/8'}}", "0.1.0",
		 "{'cniVersion':'0.1.0','ip4':{'ip':'10.0.0.1/8'},'dns':{}}"},
		/* one family only: routes of the other go */
		{"{'cniVersion':'1.0.0','ips':[{'address':'fd00::2/64'}],'routes':[{'dst':'0.0.0.0/0'},{'dst':'::/"
		 "0'}]}",
		 "0.2.0", "{'cniVersion':'0.2.0','ip6':{'ip':'fd00::2/64','routes':[{'dst':'::/0'}]},'dns':{}}"},
		/* IPv4 in IPv6 form is IPv4; IPv6 in its short form; host bits stay */
		{"{'cniVersion':'1.0.0','ips':[{'address':'::ffff:10.0.0.2/"
		 "104','gateway':'::ffff:10.0.0.1'},{'address':'FD00:0:0:0::9/64'}]}",
		 "0.4.0",
		 "{'cniVersion':'0.4.0','ips':[{'version':'4','address':'10.0.0.2/8','gateway':'10.0.0.1'},"
		 "{'version':'6','address':'fd00::9/64'}],'dns':{}}"},
		/* keys in any case, empty texts, null, unknown keys */
		{"{'CNIversion':'1.1.0','IPS':[{'Address':'10.0.0.2/"
		 "8','gateway':''}],'routes':null,'x':1,'dns':{'search':[]}}",
		 "1.0.0", "{'cniVersion':'1.0.0','ips':[{'address':'10.0.0.2/8'}]}"},
		{"{'cniVersion':'1.1.0','routes':[{'dst':'10.0.0.5/8','gw':null,'priority':0}]}", "1.1.0",
		 "{'cniVersion':'1.1.0','routes':[{'dst':'10.0.0.5/8'}]}"},
	};

	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		CNI_CLEANUP(cni_freep) char *output = convert(cases[i].input, cases[i].version, &error);
		CNI_CLEANUP(cni_freep) char *expected = replace(cases[i].output, "'", "\"");

		cr_expect_str_eq(output ? output : error.message, expected, "%s\n  found    %s\n  expected %s",
				 cases[i].input, output ? output : error.message, expected);
	}
}

Test(cni_result, messages)
{
	static const struct {
		const char *input;
		const char *version;
		const char *message;
	} cases[] = {
		{"{}", "0.1.0", "cniVersion 0.1.0 cannot express a result without an address; use 0.3.0 or later"},
		{"{'cniVersion':'1.0.0','interfaces':[{'name':'a'}]}", "0.2.0",
		 "cniVersion 0.2.0 cannot express a result without an address; use 0.3.0 or later"},
		{"{'cniVersion':'7.0.0'}", "1.0.0", "result: cniVersion is \"7.0.0\", which is unknown"},
		{"{'cniVersion':5}", "1.0.0", "result.cniVersion is 5, expected a string"},
		{"{'ips':{}}", "1.0.0", "result.ips is {}, expected a list"},
		{"{'ips':[1]}", "1.0.0", "result.ips.0 is 1, expected an object"},
		{"{'ips':[{}]}", "1.0.0",
		 "result.ips.0.address is \"\", expected an IP address with a length, such as 10.1.0.0/16"},
		{"{'ips':[{'address':'10.0.0.1'}]}", "1.0.0",
		 "result.ips.0.address is \"10.0.0.1\", expected an IP address with a length, such as 10.1.0.0/16"},
		{"{'ips':[{'address':'010.0.0.1/8'}]}", "1.0.0",
		 "result.ips.0.address is \"010.0.0.1/8\", expected an IP address with a length, such as 10.1.0.0/16"},
		{"{'ips':[{'address':'10.0.0.1/33'}]}", "1.0.0",
		 "result.ips.0.address is \"10.0.0.1/33\", expected an IP address with a length, such as 10.1.0.0/16"},
		{"{'ips':[{'address':'10.0.0.1/8','gateway':'x'}]}", "1.0.0",
		 "result.ips.0.gateway is \"x\", expected an IP address"},
		{"{'ips':[{'address':'10.0.0.1/8','gateway':'10.0.0.1/8'}]}", "1.0.0",
		 "result.ips.0.gateway is \"10.0.0.1/8\", expected an IP address"},
		{"{'ips':[{'address':'10.0.0.1/8','interface':'0'}]}", "1.0.0",
		 "result.ips.0.interface is \"0\", expected an integer"},
		{"{'ips':[{'address':'10.0.0.1/8','interface':0.0}]}", "1.0.0",
		 "result.ips.0.interface is 0.0, expected an integer"},
		{"{'ips':[{'address':'10.0.0.1/8','version':4}]}", "0.4.0",
		 "result.ips.0.version is 4, expected a string"},
		{"{'interfaces':[{'name':1}]}", "1.0.0", "result.interfaces.0.name is 1, expected a string"},
		{"{'interfaces':[{'mac':1}]}", "1.0.0", "result.interfaces.0.mac is 1, expected a string"},
		{"{'interfaces':[{'sandbox':1}]}", "1.0.0", "result.interfaces.0.sandbox is 1, expected a string"},
		{"{'interfaces':[{'socketPath':1}]}", "1.0.0",
		 "result.interfaces.0.socketPath is 1, expected a string"},
		{"{'interfaces':[{'pciID':1}]}", "1.0.0", "result.interfaces.0.pciID is 1, expected a string"},
		{"{'interfaces':[{'mtu':-1}]}", "1.0.0", "result.interfaces.0.mtu is -1, expected 0 to 2147483647"},
		{"{'interfaces':[{'mtu':1e3}]}", "1.0.0", "result.interfaces.0.mtu is 1e3, expected an integer"},
		{"{'routes':[{'dst':'10.0.0.0'}]}", "1.0.0",
		 "result.routes.0.dst is \"10.0.0.0\", expected an IP address with a length, such as 10.1.0.0/16"},
		{"{'routes':[{'dst':'10.0.0.0/8','gw':'10'}]}", "1.0.0",
		 "result.routes.0.gw is \"10\", expected an IP address"},
		{"{'routes':[{'dst':'10.0.0.0/8','mtu':4294967296}]}", "1.0.0",
		 "result.routes.0.mtu is 4294967296, expected 0 to 4294967295"},
		{"{'routes':[{'dst':'10.0.0.0/8','advmss':-1}]}", "1.0.0",
		 "result.routes.0.advmss is -1, expected 0 to 4294967295"},
		{"{'routes':[{'dst':'10.0.0.0/8','priority':-1}]}", "1.0.0",
		 "result.routes.0.priority is -1, expected 0 to 4294967295"},
		{"{'routes':[{'dst':'10.0.0.0/8','table':'1'}]}", "1.0.0",
		 "result.routes.0.table is \"1\", expected an integer"},
		{"{'routes':[{'dst':'10.0.0.0/8','scope':256}]}", "1.0.0",
		 "result.routes.0.scope is 256, expected 0 to 255"},
		{"{'dns':[]}", "1.0.0", "result.dns is [], expected an object"},
		{"{'dns':{'nameservers':'x'}}", "1.0.0", "result.dns.nameservers is \"x\", expected a list"},
		{"{'dns':{'search':[1]}}", "1.0.0", "result.dns.search is [1], expected a list of strings"},
		{"{'dns':{'options':[null]}}", "1.0.0", "result.dns.options is [null], expected a list of strings"},
		{"{'dns':{'domain':['x']}}", "1.0.0", "result.dns.domain is [\"x\"], expected a string"},
		{"{'ip4':[]}", "0.2.0", "result.ip4 is [], expected an object"},
		{"{'ip4':{}}", "0.2.0",
		 "result.ip4.ip is \"\", expected an IP address with a length, such as 10.1.0.0/16"},
		{"{'ip6':{'ip':'fd00::1/64','gateway':'x'}}", "0.2.0",
		 "result.ip6.gateway is \"x\", expected an IP address"},
		{"{'ip4':{'ip':'10.0.0.1/8','routes':[{'dst':'x'}]}}", "0.2.0",
		 "result.ip4.routes.0.dst is \"x\", expected an IP address with a length, such as 10.1.0.0/16"},
	};

	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		CNI_CLEANUP(cni_freep) char *output = convert(cases[i].input, cases[i].version, &error);

		cr_expect_null(output, "%s: %s", cases[i].input, output);
		cr_expect_str_eq(error.message ? error.message : "", cases[i].message,
				 "%s\n  found    %s\n  expected %s", cases[i].input, error.message, cases[i].message);
	}
}

Test(cni_result, previous_results_are_of_the_same_family)
{
	static const char *const versions[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
	static const int families[] = {0, 0, 1, 1, 1, 2, 2};

	for (size_t a = 0; a < CNI_N_ELEMENTS(versions); a++) {
		for (size_t b = 0; b < CNI_N_ELEMENTS(versions); b++) {
			CNI_CLEANUP(cni_json_putp) struct json_object *previous = json_object_new_object();
			CNI_CLEANUP(cni_result_clear) struct cni_result result = {0};
			CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
			bool same = families[a] == families[b];

			cr_assert_eq(
				json_object_object_add(previous, "cniVersion", json_object_new_string(versions[a])), 0);
			cr_expect_eq(cni_result_parse_previous(previous, versions[b], &result, &error), same ? 0 : -1,
				     "%s in %s", versions[a], versions[b]);
		}
	}
}
