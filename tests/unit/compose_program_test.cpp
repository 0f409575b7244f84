// What Compose is given: a script in its place prints it.
#include "agent/compose/compose_program.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/lib/loop.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using test::await;
using test::TemporaryFolder;

class ComposeProgramTest : public testing::TestWithParam<ComposeFamily> {
 protected:
  Result<Rendered> render(const std::string& commit) {
    const fs::path script = folder_ / "compose";
    std::ofstream(script) << "#!/bin/sh\n"
                             "printf '{\"services\": {\"web\": {\"image\": \"web:%s\"}}}' "
                             "\"$TRIMTAB_COMMIT\"\n";
    fs::permissions(script, fs::perms::owner_all);
    ComposeTool tool;
    tool.family = GetParam();
    tool.argv = {script.string()};
    ComposeProgram compose("/run/docker.sock", folder_ / "empty");
    compose.use(tool);
    RenderRequest request;
    request.directory = folder_.path();
    request.files = {"compose.yaml"};
    request.project = "shop";
    request.commit = commit;
    return await(compose.render(request));
  }

  TemporaryFolder folder_;
};

TEST_P(ComposeProgramTest, RendersWithTheIdOfTheCommit) {
  // The daemon's own environment does not count.
  ::setenv("TRIMTAB_COMMIT", "of-the-daemon", 1);
  const std::string commit(40, 'c');
  const Result<Rendered> rendered = render(commit);
  ::unsetenv("TRIMTAB_COMMIT");
  ASSERT_TRUE(rendered) << rendered.error().text();
  EXPECT_EQ(rendered->model["services"]["web"]["image"], "web:" + commit);
}

INSTANTIATE_TEST_SUITE_P(EachFamily, ComposeProgramTest,
                         testing::Values(ComposeFamily::v1, ComposeFamily::v2));

}  // namespace
}  // namespace trimtab
