// Compose's messages in a user's words. The texts are those of docker-compose 1.29.2 and of Docker
// Compose 2.26.1 and 2.40.3 as they came out.
#include <gtest/gtest.h>

#include "agent/compose/compose_messages.hpp"

namespace trimtab {
namespace {

constexpr const char* unset_v1 =
    "The FOO variable is not set. Defaulting to a blank string.\n"
    "The BAR variable is not set. Defaulting to a blank string.\n"
    "The FOO variable is not set. Defaulting to a blank string.\n";
constexpr const char* unset_v2 =
    "time=\"2026-11-23T01:21:37Z\" level=warning msg=\"The \\\"FOO\\\" variable is not set. "
    "Defaulting to a blank string.\"\n"
    "time=\"2026-11-23T01:21:37Z\" level=warning msg=\"The \\\"BAR\\\" variable is not set. "
    "Defaulting to a blank string.\"\n";
constexpr const char* obsolete_v2 =
    "time=\"2026-11-23T01:22:06Z\" level=warning msg=\"/stage/compose.yaml: the attribute "
    "`version` is obsolete, it will be ignored, please remove it to avoid potential confusion\"\n";

TEST(ComposeMessages, UnsetVariablesEachOnce) {
  const std::vector<std::string> both{"FOO", "BAR"};
  EXPECT_EQ(unset_variables(unset_v1), both);
  EXPECT_EQ(unset_variables(unset_v2), both);
  EXPECT_EQ(unset_variables("WARNING: " + std::string(unset_v1)), both);
  EXPECT_TRUE(unset_variables(obsolete_v2).empty());
  EXPECT_TRUE(unset_variables("").empty());
}

TEST(ComposeMessages, OtherWarnings) {
  EXPECT_EQ(other_warnings(std::string(unset_v2) + obsolete_v2, "/stage/", ""),
            std::vector<std::string>{
                "compose.yaml: the attribute `version` is obsolete, it will be ignored, "
                "please remove it to avoid potential confusion"});
  EXPECT_EQ(other_warnings("WARNING: Some services (web) use the 'configs' key, which will be "
                           "ignored.\n",
                           "/stage/", ""),
            std::vector<std::string>{
                "Some services (web) use the 'configs' key, which will be ignored."});
  EXPECT_TRUE(other_warnings("no warning\n", "", "").empty());
}

struct Row {
  const char* name;
  std::string said;
  const char* message;
  const char* hint;
};

constexpr const char* look_yourself = "`docker compose config` in a checkout reproduces it";
constexpr const char* set_it = "set it in the env file";
constexpr const char* single_quotes =
    "write each line as KEY=value, and a value with $, quotes or spaces in single quotes: KEY='…'";
constexpr const char* see_variables = "see which variables it takes from the env file";

TEST(ComposeMessages, WhyRenderingFailed) {
  constexpr const char* required_tag =
      "the compose file requires the variable TAG (set the tag, please)";
  constexpr const char* missing_env =
      "the compose file reads the env file conf/web.env, which is missing";
  constexpr const char* create_it = "create it on this server, or remove it from the compose file";
  const std::vector<Row> rows{
      {"required, 1.29",
       "Missing mandatory value for \"image\" option interpolating nginx:${TAG:?set the tag, "
       "please} in service \"web\": set the tag, please\n",
       required_tag, set_it},
      {"required, 2.x",
       std::string(unset_v2) +
           "error while interpolating services.web.image: required variable TAG is missing a "
           "value: set the tag, please\n",
       required_tag, set_it},
      {"required without words, 1.29",
       "Missing mandatory value for \"image\" option interpolating nginx:${TAG?} in service "
       "\"web\": TAG\n",
       "the compose file requires the variable TAG", set_it},
      {"required without words, 2.x",
       "error while interpolating services.web.image: required variable TAG is missing a value\n",
       "the compose file requires the variable TAG", set_it},
      {"env file, 1.29", "Couldn't find env file: /stage/conf/web.env\n", missing_env, create_it},
      {"env file, 2.x",
       "env file /stage/conf/web.env not found: stat /stage/conf/web.env: no such file or "
       "directory\n",
       missing_env, create_it},
      {"empty, 1.29",
       "Top level object in '/stage/compose.yaml' needs to be an object not '<class "
       "'NoneType'>'.\n",
       "the compose file is empty", "nothing was removed: commit a compose file that has services"},
      {"empty, 2.x", "empty compose file\n", "the compose file is empty",
       "nothing was removed: commit a compose file that has services"},
      {"missing, 2.x", "open /stage/compose.yaml: no such file or directory\n",
       "Compose rejects the project: open compose.yaml: no such file or directory", look_yourself},
      {"missing, 1.29",
       ".FileNotFoundError: [Errno 2] No such file or directory: '/stage/compose.yaml'\n",
       "Compose rejects the project: .FileNotFoundError: [Errno 2] No such file or directory: "
       "'compose.yaml'",
       look_yourself},
      {"invalid YAML, 1.29",
       "yaml.parser.ParserError: while parsing a block mapping\n"
       "  in \"/stage/compose.yaml\", line 2, column 3\n"
       "expected <block end>, but found '<block mapping start>'\n"
       "  in \"/stage/compose.yaml\", line 4, column 4\n",
       "Compose rejects the project: yaml.parser.ParserError: while parsing a block mapping in "
       "\"compose.yaml\", line 2, column 3 expected <block end>, but found '<block mapping "
       "start>' in \"compose.yaml\", line 4, column 4",
       look_yourself},
      {"invalid YAML, 2.26", "yaml: line 1: did not find expected key\n",
       "Compose rejects the project: yaml: line 1: did not find expected key", look_yourself},
      {"invalid YAML, 2.40",
       "failed to parse /stage/compose.yaml: yaml: line 1: did not find expected key\n",
       "Compose rejects the project: failed to parse compose.yaml: yaml: line 1: did not find "
       "expected key",
       look_yourself},
      {"unknown option, 1.29",
       "The Compose file '/stage/compose.yaml' is invalid because:\n"
       "Unsupported config option for services.web: 'imag'\n"
       "services.db.image contains an invalid type, it should be a string\n",
       "Compose rejects the project: The Compose file 'compose.yaml' is invalid because: "
       "Unsupported config option for services.web: 'imag' services.db.image contains an invalid "
       "type, it should be a string",
       look_yourself},
      {"unknown option, 2.40",
       std::string(obsolete_v2) +
           "validating /stage/compose.yaml: services.web additional properties 'imag' not "
           "allowed\n",
       "Compose rejects the project: validating compose.yaml: services.web additional properties "
       "'imag' not allowed",
       look_yourself},
      {"no such service, 1.29", "Service 'web' depends on service 'db' which is undefined.\n",
       "Compose rejects the project: Service 'web' depends on service 'db' which is undefined.",
       look_yourself},
      {"bad interpolation, 2.x",
       "invalid interpolation format for services.web.image.\n"
       "You may need to escape any $ with another $.\nnginx:${TAG\n",
       "Compose rejects the project: invalid interpolation format for services.web.image. You may "
       "need to escape any $ with another $. nginx:${TAG",
       look_yourself},
      // Behind these stands a value, or what is left of it.
      {"unterminated quote, 2.x",
       "failed to read /stage/.env: line 3: unterminated quoted value \"s3cr3t\n",
       "an env file cannot be read: .env, line 3", single_quotes},
      {"unterminated quote in a service's file, 2.26",
       "line 3: unterminated quoted value \"s3cr3t\n", "an env file cannot be read, line 3",
       single_quotes},
      {"stray line, 2.x",
       "failed to read /stage/.env: line 1: unexpected character \"/\" in variable name near "
       "\"s3cr3t\\nB=2\"\n",
       "an env file cannot be read: .env, line 1", single_quotes},
      {"bad template, 2.x", "failed to read /stage/.env: Invalid template: \"pa${w0rd\"\n",
       "an env file cannot be read: .env", single_quotes},
      {"port, 2.x", "Invalid hostPort: s3cr3t\n", "`ports:` of a service has no valid hostPort",
       see_variables},
      {"number, 2.x",
       "error while interpolating services.a.ports.[].target: failed to cast to expected type: "
       "strconv.Atoi: parsing \"s3cr3t\": invalid syntax\n",
       "services.a.ports.[].target has a value of the wrong type", see_variables},
      {"boolean, 1.29",
       "Error while attempting to convert service.a.privileged to appropriate type: \"s3cr3t\" is "
       "not a valid boolean value\n",
       "service.a.privileged has a value of the wrong type", see_variables},
      {"duration, 2.26",
       "decoding failed due to the following error(s):\n\nerror decoding "
       "'services[a].healthcheck.interval': time: invalid duration \"s3cr3t\"\n",
       "services[a].healthcheck.interval has a value of the wrong type", see_variables},
      {"size, 2.40",
       "decoding failed due to the following error(s):\n\n'services[a].mem_limit' "
       "strconv.ParseFloat: parsing \"s3cr3\": invalid syntax\n",
       "services[a].mem_limit has a value of the wrong type", see_variables},
  };
  for (const Row& row : rows) {
    const Error error = explain_render_failure(row.said, "/stage/", "");
    EXPECT_EQ(error.code, Errc::invalid) << row.name;
    EXPECT_EQ(error.message, row.message) << row.name;
    EXPECT_EQ(error.hint, row.hint) << row.name;
  }
}

TEST(ComposeMessages, AComposeThatCannotWorkIsNoFaultOfTheProject) {
  struct HostRow {
    const char* said;
    Errc expected;
  };
  for (const HostRow& row : {
           HostRow{"", Errc::failed},
           HostRow{unset_v2, Errc::failed},
           HostRow{"docker: 'compose' is not a docker command.\nSee 'docker --help'\n",
                   Errc::unavailable},
           HostRow{"docker: unknown command: docker compose\n\nRun 'docker --help'\n",
                   Errc::unavailable},
           HostRow{"unknown shorthand flag: 'f' in -f\nSee 'docker --help'.\n", Errc::unavailable},
           HostRow{
               "fork/exec /usr/libexec/docker/cli-plugins/docker-compose: cannot allocate memory\n",
               Errc::unavailable},
           HostRow{"fork/exec /usr/libexec/docker/cli-plugins/docker-compose: resource temporarily "
                   "unavailable\n",
                   Errc::unavailable},
           HostRow{"runtime: out of memory: cannot allocate 4194304-byte block\n",
                   Errc::unavailable},
           HostRow{"ModuleNotFoundError: No module named 'compose'\n", Errc::unavailable},
           HostRow{"open /stage/compose.yaml: too many open files\n", Errc::unavailable},
           HostRow{"read /stage/compose.yaml: input/output error\n", Errc::unavailable},
       }) {
    const Error error = explain_render_failure(row.said, "/stage/", "");
    EXPECT_EQ(error.code, row.expected) << row.said;
    EXPECT_FALSE(error.message.empty() || error.hint.empty()) << row.said;
  }
}

TEST(ComposeMessages, WhyUpFailed) {
  struct UpRow {
    const char* name;
    const char* said;
    const char* expected;
  };
  for (const UpRow& row : {
           UpRow{"port, 1.29",
                 "Creating network \"t_default\" with the default driver\n"
                 "Creating t_web_1 ... \nCreating t_other_1 ... \n"
                 "Host is already in use by another container\n"
                 "Creating t_web_1   ... error\n\n"
                 "ERROR: for t_web_1  Cannot start service web: driver failed programming external "
                 "connectivity on endpoint t_web_1 (7a2f): Bind for 127.0.0.1:80 failed: port is "
                 "already allocated\nCreating t_other_1 ... done\n\n"
                 "ERROR: for web  Cannot start service web: driver failed programming external "
                 "connectivity on endpoint t_web_1 (7a2f): Bind for 127.0.0.1:80 failed: port is "
                 "already allocated\nEncountered errors while bringing up the project.\n",
                 "Host is already in use by another container; web: Cannot start service web: "
                 "driver failed programming external connectivity on endpoint t_web_1 (7a2f): Bind "
                 "for 127.0.0.1:80 failed: port is already allocated"},
           UpRow{"port, 2.x",
                 " Network t_default  Creating\n Network t_default  Created\n"
                 " Container t-web-1  Creating\n Container t-web-1  Created\n"
                 " Container t-web-1  Starting\n"
                 "Error response from daemon: driver failed programming external connectivity on "
                 "endpoint t-web-1 (5648): Bind for 127.0.0.1:80 failed: port is already "
                 "allocated\n",
                 "Error response from daemon: driver failed programming external connectivity on "
                 "endpoint t-web-1 (5648): Bind for 127.0.0.1:80 failed: port is already "
                 "allocated"},
           UpRow{"dependency unhealthy, 1.29",
                 "Creating t_db_1      ... \nCreating t_db_1      ... done\n\n"
                 "ERROR: for web  Container \"f69bdfe8f692\" is unhealthy.\n"
                 "Encountered errors while bringing up the project.\n",
                 "web: Container \"f69bdfe8f692\" is unhealthy."},
           UpRow{"dependency unhealthy, 2.x",
                 " Container t-db-1  Waiting\n Container t-db-1  Error\n"
                 "dependency failed to start: container t-db-1 is unhealthy\n",
                 "dependency failed to start: container t-db-1 is unhealthy"},
           UpRow{"job failed, 2.x",
                 " Container t-migrate-1  Waiting\n"
                 " Container t-migrate-1  service \"migrate\" didn't complete successfully: exit "
                 "3\nservice \"migrate\" didn't complete successfully: exit 3\n",
                 "service \"migrate\" didn't complete successfully: exit 3"},
           UpRow{"no image, 1.29",
                 "Pulling web (127.0.0.1:1/none:1)...\n"
                 "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection "
                 "refused\n",
                 "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection "
                 "refused"},
           UpRow{"no image, 2.x",
                 " Container t-web-1  Creating\n"
                 " Container t-web-1  Error response from daemon: No such image: a:1\n"
                 "Error response from daemon: No such image: a:1\n",
                 "Error response from daemon: No such image: a:1"},
           UpRow{"two services, 1.29",
                 "ERROR: for web  Container \"1\" is unhealthy.\n"
                 "ERROR: for worker  Container \"1\" exited with code 3.\n",
                 "web: Container \"1\" is unhealthy.; worker: Container \"1\" exited with code 3."},
           UpRow{"only progress", " Container t-web-1  Creating\n", "Container t-web-1  Creating"},
           UpRow{"nothing", "", ""},
       }) {
    EXPECT_EQ(explain_up_failure(row.said), row.expected) << row.name;
  }
}

TEST(ComposeMessages, TellsAnEngineThatWentAwayFromAReleaseThatDoesNotStart) {
  struct KindRow {
    std::string said;
    Errc expected;
  };
  for (const KindRow& row : {
           KindRow{"error during connect: Post \"http://%2Frun%2Fdocker.sock/v1.41/containers/"
                   "create?name=f6c2_shop-web-1\": EOF\n",
                   Errc::unavailable},
           KindRow{"Cannot connect to the Docker daemon at unix:///run/docker.sock. Is the docker "
                   "daemon running?\n",
                   Errc::unavailable},
           KindRow{"ERROR: for web  ('Connection aborted.', RemoteDisconnected('Remote end closed "
                   "connection without response'))\n",
                   Errc::unavailable},
           KindRow{"ERROR: Couldn't connect to Docker daemon at http+docker://localhost - is it "
                   "running?\n",
                   Errc::unavailable},
           KindRow{"Error response from daemon: mkdir /var/lib/docker/overlay2/x: no space left on "
                   "device\n",
                   Errc::no_space},
           KindRow{"Error response from daemon: driver failed programming external connectivity: "
                   "Bind for 0.0.0.0:80 failed: port is already allocated\n",
                   Errc::failed},
           KindRow{"dependency failed to start: container t-db-1 is unhealthy\n", Errc::invalid},
       }) {
    EXPECT_EQ(kind_of_up_failure(row.said), row.expected) << row.said;
  }
}

TEST(ComposeMessages, ForeignTextCannotDriveATerminal) {
  const std::string hostile = "bad \x1b[31mred\x1b[0m \xff words\n";
  for (const std::string& text :
       {explain_up_failure(hostile), explain_render_failure(hostile, "/stage/", "").message,
        explain_up_failure("Container \x1b[31m x\n")}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
    EXPECT_EQ(text.find('\xff'), std::string::npos) << text;
  }
}

TEST(ComposeMessages, LongLinesAreCut) {
  const std::string endless(1'000'000, 'x');
  EXPECT_LE(explain_up_failure(endless).size(), 4096U);
  EXPECT_LE(explain_render_failure(endless, "/stage/", "").message.size(), 5000U);
}

}  // namespace
}  // namespace trimtab
