#include "train/trace.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/temporary_folder.hpp"

namespace precis {
namespace {

TEST(TraceFile, IsJsonAfterEveryStep) {
  const TemporaryFolder folder;
  PhaseTimer phases;
  phases.keep_events();
  TraceFile trace(folder / "trace.json");
  const auto read = [&] {
    std::ifstream stream(folder / "trace.json");
    return nlohmann::json::parse(stream);
  };
  EXPECT_EQ(read().size(), 0U);
  for (int step = 1; step <= 3; ++step) {
    { const auto timed = phases.phase("gradient"); }
    { const auto timed = phases.phase("update"); }
    trace.append(step, phases);
    phases.reset();
    const auto events = read();
    ASSERT_EQ(events.size(), static_cast<std::size_t>(3 * step));
    EXPECT_EQ(events.back()["name"], "step " + std::to_string(step));
    EXPECT_EQ(events.back()["ph"], "X");
    EXPECT_GE(events.back()["dur"].get<double>(), 0.0);
  }
}

}  // namespace
}  // namespace precis
