// What is read of a rendered service, whichever Compose rendered it. Both models are what
// docker-compose 1.29.2 and Docker Compose 2.26.1 and 2.40.3 print for one compose file.
#include <gtest/gtest.h>

#include "agent/compose/compose_yaml.hpp"
#include "agent/model/service.hpp"
#include "agent/model/variable_contents.hpp"

namespace trimtab {
namespace {

constexpr const char* of_compose_1 = R"(
secrets:
  dbpw:
    file: /srv/shop/secrets/dbpw.txt
configs:
  conf:
    file: /srv/shop/conf.txt
services:
  db:
    environment:
      EMPTY: ''
      NOVAL: null
      POSTGRES_PASSWORD: se$$cret
    healthcheck:
      test:
      - NONE
    image: postgres:16
    scale: 2
  web:
    configs:
    - source: conf
      target: /etc/conf
    depends_on:
      db:
        condition: service_healthy
      migrate:
        condition: service_completed_successfully
    deploy:
      replicas: 3
    environment:
      ONE: '1'
      INT: 1
      MONTH: 08
      SCI: 1.5e3
      YY: "y"
      NULLY: null
      EMPTY: ''
      FL: 1.1
      LONG: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
        ccccccccc: d # e'
      MULTI: "a\nb\n  c\n"
      DOLLAR: pa$$word
      UTF: grün 😀
      SPECIAL: "b\Lc\x7Fd"
      NEG: -08
    healthcheck:
      start_period: 90500ms
      test: curl -f http://localhost/
    image: nginx:1.27
    ports:
    - published: 80
      target: 80
    - 127.0.0.1:8443:443/tcp
    - protocol: udp
      published: 53
      target: 53
    - published: 9000
      target: 9000
    - published: 9001
      target: 9001
    - published: 9100-9105
      target: 9100
    - target: 3000
    secrets:
    - source: dbpw
    volumes:
    - /srv/shop/nginx.conf:/etc/nginx/nginx.conf:ro
    - data:/data:rw
    - /anon
    - read_only: true
      source: /srv/shop/long
      target: /long
      type: bind
    - target: /tmp
      type: tmpfs
version: '3.9'
volumes:
  data: {}
)";

constexpr const char* of_compose_2 = R"({
  "configs": {"conf": {"name": "shop_conf", "file": "/srv/shop/conf.txt"}},
  "name": "shop",
  "networks": {"default": {"name": "shop_default", "ipam": {}}},
  "secrets": {"dbpw": {"name": "shop_dbpw", "file": "/srv/shop/secrets/dbpw.txt"}},
  "services": {
    "db": {
      "command": null,
      "entrypoint": null,
      "environment": {"EMPTY": "", "NOVAL": null, "POSTGRES_PASSWORD": "se$$cret"},
      "healthcheck": {"disable": true},
      "image": "postgres:16",
      "networks": {"default": null},
      "scale": 2
    },
    "web": {
      "configs": [{"source": "conf", "target": "/etc/conf"}],
      "depends_on": {
        "db": {"condition": "service_healthy", "required": true},
        "migrate": {"condition": "service_completed_successfully", "required": true}
      },
      "deploy": {"replicas": 3, "placement": {}},
      "environment": {
        "DOLLAR": "pa$$word", "EMPTY": "", "FL": "1.1", "INT": "1",
        "LONG": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccccccc: d # e",
        "MONTH": "08", "MULTI": "a\nb\n  c\n", "NEG": "-08", "SPECIAL": "b\u2028c\u007fd",
        "NULLY": null, "ONE": "1", "SCI": "1.5e3", "UTF": "grün 😀", "YY": "y"
      },
      "healthcheck": {
        "test": ["CMD-SHELL", "curl -f http://localhost/"], "start_period": "1m30.5s"
      },
      "image": "nginx:1.27",
      "ports": [
        {"mode": "ingress", "target": 80, "published": "80", "protocol": "tcp"},
        {"mode": "ingress", "host_ip": "127.0.0.1", "target": 443, "published": "8443",
         "protocol": "tcp"},
        {"mode": "ingress", "target": 53, "published": "53", "protocol": "udp"},
        {"mode": "ingress", "target": 9000, "published": "9000", "protocol": "tcp"},
        {"mode": "ingress", "target": 9001, "published": "9001", "protocol": "tcp"},
        {"mode": "ingress", "target": 9100, "published": "9100-9105", "protocol": "tcp"},
        {"mode": "ingress", "target": 3000, "protocol": "tcp"}
      ],
      "secrets": [{"source": "dbpw", "target": "/run/secrets/dbpw"}],
      "volumes": [
        {"type": "bind", "source": "/srv/shop/nginx.conf", "target": "/etc/nginx/nginx.conf",
         "read_only": true, "bind": {"create_host_path": true}},
        {"type": "volume", "source": "data", "target": "/data", "volume": {}},
        {"type": "volume", "target": "/anon", "volume": {}},
        {"type": "bind", "source": "/srv/shop/long", "target": "/long", "read_only": true},
        {"type": "tmpfs", "target": "/tmp"}
      ]
    }
  },
  "volumes": {"data": {"name": "shop_data"}}
})";

struct Rendered {
  const char* tool;
  const char* text;
};

std::ostream& operator<<(std::ostream& out, const Rendered& row) {
  return out << row.tool;
}

class RenderedService : public testing::TestWithParam<Rendered> {
 protected:
  void SetUp() override {
    Result<Json> model = parse_yaml(GetParam().text);
    ASSERT_TRUE(model) << model.error().text();
    // What is kept of a release went through our own writer.
    Result<Json> kept = parse_yaml(emit_yaml(*model));
    ASSERT_TRUE(kept) << kept.error().text();
    model_ = std::move(*kept);
  }
  [[nodiscard]] const Json& service(const char* name) const {
    return json_object(json_object(model_, "services"), name);
  }
  Json model_;
};

TEST_P(RenderedService, Mounts) {
  std::vector<std::string> found;
  for (const Mount& mount : mounts_of(service("web"))) {
    found.push_back(mount.type + " " + mount.source + " " + mount.target);
  }
  EXPECT_EQ(found, (std::vector<std::string>{"bind /srv/shop/nginx.conf /etc/nginx/nginx.conf",
                                             "volume data /data", "volume  /anon",
                                             "bind /srv/shop/long /long", "tmpfs  /tmp"}));
  EXPECT_TRUE(mounts_of(service("db")).empty());
}

TEST(Service, MountsHaveThePathsThatTheEngineGivesThem) {
  const Json service = *parse_json(R"({"volumes": [
      "/srv/data/:/data/:ro", "data:/var/lib/./x/", "/cache/",
      {"type": "bind", "source": "/srv/a/../b/", "target": "/b//c"},
      {"type": "bind", "source": "/", "target": "/host"}]})");
  std::vector<std::string> found;
  for (const Mount& mount : mounts_of(service)) found.push_back(mount.source + " " + mount.target);
  EXPECT_EQ(found, (std::vector<std::string>{"/srv/data /data", "data /var/lib/x", " /cache",
                                             "/srv/b /b/c", "/ /host"}));
}

TEST_P(RenderedService, PublishedPorts) {
  std::vector<std::string> found;
  for (const PublishedPort& port : published_ports_of(service("web"))) {
    found.push_back(port.host_ip + ":" + std::to_string(port.host_port) + "/" + port.protocol);
  }
  EXPECT_EQ(found, (std::vector<std::string>{":80/tcp", "127.0.0.1:8443/tcp", ":53/udp",
                                             ":9000/tcp", ":9001/tcp"}));
  EXPECT_TRUE(published_ports_of(service("db")).empty());
}

TEST_P(RenderedService, Environment) {
  const std::map<std::string, std::optional<std::string>> expected{
      {"ONE", "1"},
      {"INT", "1"},
      {"MONTH", "08"},
      {"SCI", "1.5e3"},
      {"YY", "y"},
      {"NULLY", std::nullopt},
      {"EMPTY", ""},
      {"FL", "1.1"},
      {"LONG",
       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccccccc: d # "
       "e"},
      {"MULTI", "a\nb\n  c\n"},
      {"DOLLAR", "pa$$word"},
      {"UTF", "grün 😀"},
      {"SPECIAL",
       "b\xE2\x80\xA8"
       "c\x7F"
       "d"},
      {"NEG", "-08"},
  };
  EXPECT_EQ(environment_of(service("web")), expected);
}

TEST_P(RenderedService, FilesOfConfigsAndSecrets) {
  EXPECT_EQ(config_files_of(model_, service("web")),
            (std::vector<std::string>{"/srv/shop/conf.txt", "/srv/shop/secrets/dbpw.txt"}));
}

TEST_P(RenderedService, DependenciesHealthAndReplicas) {
  EXPECT_EQ(jobs_awaited_by(service("web")), std::vector<std::string>{"migrate"});
  EXPECT_TRUE(jobs_awaited_by(service("db")).empty());
  EXPECT_EQ(health_check_of(service("web"), nullptr),
            (HealthCheck{{}, std::chrono::milliseconds(90'500), {}}));
  EXPECT_EQ(health_check_of(service("db"), nullptr), std::nullopt);
  EXPECT_EQ(replicas_of(service("web")), 3);
  EXPECT_EQ(replicas_of(service("db")), 2);
  EXPECT_EQ(replicas_of(Json::object()), 1);
}

INSTANTIATE_TEST_SUITE_P(Composes, RenderedService,
                         testing::Values(Rendered{"Compose1", of_compose_1},
                                         Rendered{"Compose2", of_compose_2}),
                         testing::PrintToStringParamName());

TEST(Service, HealthCheckOfTheFileAndTheImage) {
  using std::chrono::seconds;
  const HealthCheck image{seconds(300), seconds(20), {}};
  struct Row {
    const char* file;
    const HealthCheck* image;
    std::optional<HealthCheck> expected;
  };
  for (const Row& row : {
           Row{R"({})", nullptr, std::nullopt},
           Row{R"({})", &image, image},
           Row{R"({"healthcheck": {"disable": true}})", &image, std::nullopt},
           Row{R"({"healthcheck": {"test": ["NONE"]}})", &image, std::nullopt},
           Row{R"({"healthcheck": {"interval": "5s"}})", nullptr, std::nullopt},
           Row{R"({"healthcheck": {"interval": "5s"}})", &image,
               HealthCheck{seconds(5), seconds(20), {}}},
           Row{R"({"healthcheck": {"test": "true", "interval": "40s"}})", nullptr,
               HealthCheck{seconds(40), {}, {}}},
           Row{R"({"healthcheck": {"test": ["CMD", "true"], "start_period": "1m",
                   "start_interval": "2s"}})",
               &image, HealthCheck{seconds(300), seconds(60), seconds(2)}},
       }) {
    EXPECT_EQ(health_check_of(*parse_json(row.file), row.image), row.expected) << row.file;
  }
}

TEST(Service, WhenHealthIsKnown) {
  using std::chrono::seconds;
  struct Row {
    HealthCheck check;
    int expected;  // seconds
  };
  for (const Row& row : {
           Row{{}, 30},  // Docker's own interval
           Row{{seconds(300), {}, {}}, 300}, Row{{seconds(10), seconds(60), {}}, 60},
           Row{{seconds(45), seconds(60), {}}, 90},  // the check at 45 s need not count yet
           Row{{seconds(300), seconds(20), {}}, 300},
           Row{{seconds(300), seconds(20), seconds(2)}, 22},
           Row{{seconds(300), {}, seconds(2)}, 300},  // which is for the start period alone
       }) {
    EXPECT_EQ(health_known_after(row.check), seconds(row.expected)) << row.expected;
  }
}

TEST(Service, StartPeriodsAsGoWritesThem) {
  struct Row {
    const char* text;
    int milliseconds;
  };
  for (const Row& row :
       {Row{"30s", 30'000}, Row{"1m30s", 90'000}, Row{"1h0m0s", 3'600'000}, Row{"1.5s", 1'500},
        Row{"1m30.5s", 90'500}, Row{"500ms", 500}, Row{"1500us", 2}, Row{"90500ms", 90'500},
        Row{"0s", 0}, Row{"", 0}, Row{"soon", 0}, Row{"30", 0}, Row{"-5s", 0}, Row{"1s soon", 0}}) {
    Json service;
    service["healthcheck"] = Json{{"test", "true"}, {"start_period", row.text}};
    EXPECT_EQ(health_check_of(service, nullptr)->start_period,
              std::chrono::milliseconds(row.milliseconds))
        << row.text;
  }
}

TEST(Service, PortsWrittenAsText) {
  struct Row {
    const char* text;
    std::vector<std::string> ports;
  };
  for (const Row& row : {
           Row{"80:8080", {":80/tcp"}},
           Row{"127.0.0.1:80:8080/udp", {"127.0.0.1:80/udp"}},
           Row{"[::1]:80:8080", {"::1:80/tcp"}},
           Row{"8000-8002:9000-9002", {":8000/tcp", ":8001/tcp", ":8002/tcp"}},
           Row{"8000-8002:9000", {}},
           Row{"8080", {}},
           Row{"8080/udp", {}},
           Row{"127.0.0.1::8080", {}},
           Row{"word:8080", {}},
       }) {
    Json service;
    service["ports"] = Json::array({row.text});
    std::vector<std::string> found;
    for (const PublishedPort& port : published_ports_of(service)) {
      found.push_back(port.host_ip + ":" + std::to_string(port.host_port) + "/" + port.protocol);
    }
    EXPECT_EQ(found, row.ports) << row.text;
  }
}

TEST(Service, DefinitionsOfTheWrongShapeAreNothing) {
  for (const char* text :
       {"null", "[]", "1", R"({"volumes": "x", "ports": {}, "environment": 3, "depends_on": [1]})",
        R"({"volumes": [1, null], "ports": [null, 8080], "environment": [1], "deploy": []})"}) {
    const Json service = parse_json(text).value();
    EXPECT_TRUE(mounts_of(service).empty()) << text;
    EXPECT_TRUE(published_ports_of(service).empty()) << text;
    EXPECT_TRUE(environment_of(service).empty()) << text;
    EXPECT_TRUE(jobs_awaited_by(service).empty()) << text;
    EXPECT_EQ(replicas_of(service), 1) << text;
  }
}

TEST(VariableContents, KeepsTheValuesWhereAChangeIsSeen) {
  Json model = parse_json(R"({
    "services": {}, "configs": {"fixed": {"file": "/a"}, "hello": {"environment": "HELLO"}},
    "secrets": {"token": {"environment": "TOKEN"}, "other": {"environment": "TOKEN"}}})")
                   .value();
  std::vector<std::string> found;
  for (const VariableContent& content : variable_contents(model)) {
    found.push_back(content.section + " " + content.name + " " + content.variable);
    if (content.variable == "TOKEN") keep_value(model, content, "$a$$b");
  }
  EXPECT_EQ(found, (std::vector<std::string>{"configs hello HELLO", "secrets token TOKEN",
                                             "secrets other TOKEN"}));
  EXPECT_EQ(json_string(model["secrets"]["token"], "x-trimtab-value"), "$$a$$$$b");
  EXPECT_EQ(kept_values(model), (std::map<std::string, std::string>{{"TOKEN", "$a$$b"}}));
  EXPECT_TRUE(variable_contents(Json::array()).empty());
}

TEST(VariableContents, NeverTakesTheVariablesOfPrograms) {
  for (const char* name :
       {"PATH", "HOME", "PWD", "LD_PRELOAD", "DOCKER_HOST", "COMPOSE_FILE", "TRIMTAB_SERVICES"}) {
    EXPECT_TRUE(is_read_by_programs(name)) << name;
  }
  for (const char* name : {"TOKEN", "PATHS", "HOMEPAGE", "DOCKER"}) {
    EXPECT_FALSE(is_read_by_programs(name)) << name;
  }
}

}  // namespace
}  // namespace trimtab
