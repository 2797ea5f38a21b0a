#include "train/trace.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/temporary_folder.hpp"

namespace precis {
namespace {

nlohmann::json parsed(const TraceText& text) {
  return nlohmann::json::parse("[" + text.events + "]");
}

TEST(TraceFile, IsJsonAfterEveryPart) {
  const TemporaryFolder folder;
  WorkLog log;
  log.keep_events(3);
  const TraceRank rank{.rank = 3, .host = "node \"7\"", .zero = log.began()};
  TraceFile file(folder / "trace.json");
  const auto read = [&] {
    std::ifstream stream(folder / "trace.json");
    return nlohmann::json::parse(stream);
  };
  EXPECT_EQ(read()["traceEvents"].size(), 0U);
  file.append(3, {.events = trace_names(rank)});
  const std::size_t names = read()["traceEvents"].size();
  EXPECT_EQ(read()["traceEvents"][0]["name"], "process_name");
  EXPECT_EQ(read()["traceEvents"][0]["args"]["name"], "rank 3 (node \"7\")");
  for (std::size_t part = 1; part <= 3; ++part) {
    { const WorkScope scope(log, {.kind = WorkKind::forward}); }
    file.append(3, take_trace(log, rank));
    EXPECT_EQ(read()["traceEvents"].size(), names + part);
    EXPECT_TRUE(read()["otherData"]["dropped_events"].empty());
    file.append(3, take_trace(log, rank));  // nothing new
  }
  for (int i = 0; i < 5; ++i) {
    log.add_event(WorkTrack::steps, "step", log.began(), i);
  }
  file.append(3, take_trace(log, rank));
  const auto whole = read();
  EXPECT_EQ(whole["traceEvents"].size(), names + 3 + 3 + 1);
  EXPECT_EQ(whole["traceEvents"].back()["name"], "2 earlier events did not fit into memory");
  EXPECT_EQ(whole["otherData"]["dropped_events"], nlohmann::json({{"rank 3", 2}}));
}

TEST(TakeTrace, SaysOfEachEventWhatItWas) {
  WorkLog log;
  log.keep_events(10);
  {
    const WorkScope scope(
        log, {.kind = WorkKind::backward, .name = "weight gradient", .micro_batch = 2});
    const WorkScope sum(log, {.kind = WorkKind::data_communication,
                              .name = "all-reduce",
                              .group = "learner.dp",
                              .bytes = 400});
    log.arrived();
  }
  { const WorkScope wait(log, {.kind = WorkKind::waiting, .name = "barrier", .group = "world"}); }
  log.add_event(WorkTrack::phases, "update", log.began());
  log.add_event(WorkTrack::steps, "step", log.began(), 12);
  const auto events = parsed(take_trace(log, {.rank = 1, .host = "", .zero = log.began() - 1500}));
  ASSERT_EQ(events.size(), 5U);
  const auto& step = events[0];
  EXPECT_EQ(step["name"], "step 12");
  EXPECT_EQ(step["ts"], 1.5);
  EXPECT_EQ(step["pid"], 1);
  EXPECT_EQ(step["ph"], "X");
  EXPECT_EQ(events[1]["name"], "update");
  const auto& action = events[2];
  EXPECT_EQ(action["name"], "weight gradient");
  EXPECT_EQ(action["cat"], "backward");
  EXPECT_EQ(action["args"], nlohmann::json({{"micro_batch", 2}}));
  const auto& sum = events[3];
  EXPECT_EQ(sum["name"], "all-reduce");
  EXPECT_EQ(sum["args"]["group"], "learner.dp");
  EXPECT_EQ(sum["args"]["bytes"], 400);
  EXPECT_LE(sum["args"]["waited_us"].get<double>(), sum["dur"].get<double>());
  EXPECT_GE(sum["ts"].get<double>(), action["ts"].get<double>());
  EXPECT_EQ(events[4]["args"]["waited_us"], events[4]["dur"]);
  EXPECT_FALSE(events[4]["args"].contains("bytes"));
  EXPECT_TRUE(take_trace(log, {}).events.empty());
}

}  // namespace
}  // namespace precis
