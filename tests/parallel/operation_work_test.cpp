// What the operations of groups and communicators are counted as, and what a trace sees of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "kernels/cpu/kernels.hpp"
#include "parallel/clock_offset.hpp"
#include "parallel/mailbox.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/mpi_test.hpp"

namespace precis {
namespace {

class WorkOfOperations : public testing::Test {
 protected:
  WorkOfOperations() {
    log.keep_events(1000);
    static_cast<void>(log.take_events());
    before = log.totals();
  }
  [[nodiscard]] std::vector<WorkLog::Event> events(const std::string& name) {
    std::vector<WorkLog::Event> found;
    for (const WorkLog::Event& event : log.take_events().events) {
      if (log.text_of(event.name) == name) {
        found.push_back(event);
      }
    }
    return found;
  }
  [[nodiscard]] std::int64_t calls(WorkKind kind) const {
    const auto i = static_cast<std::size_t>(kind);
    return log.totals()[i].calls - before[i].calls;
  }
  [[nodiscard]] std::int64_t nanoseconds(WorkKind kind) const {
    const auto i = static_cast<std::size_t>(kind);
    return log.totals()[i].nanoseconds - before[i].nanoseconds;
  }

  RankGroup& world = test_session().world();
  WorkLog& log = world.work();
  WorkLog::Totals before{};
  Queue queue = cpu::backend.make_queue();
  const bool several = world.size() > 1;
};

View view_of(std::vector<float>& values) {
  return {reinterpret_cast<std::byte*>(values.data()), DType::f32, Shape{std::ssize(values)}};
}

TEST_F(WorkOfOperations, AnAllReduceHasItsBytesAndItsAxis) {
  const std::pair<const char*, WorkKind> axes[]{{"learner.tp", WorkKind::tensor_communication},
                                                {"learner.pp", WorkKind::pipeline_communication},
                                                {"learner.dp", WorkKind::data_communication},
                                                {"world", WorkKind::data_communication}};
  for (const auto& [name, kind] : axes) {
    const auto group = world.duplicate(name);
    MpiCommunicator data(*group);
    std::vector<float> values(100);
    before = log.totals();
    static_cast<void>(log.take_events());
    data.all_reduce(queue, view_of(values), Reduction::sum);
    EXPECT_EQ(calls(kind), several ? 1 : 0) << name;
    const auto found = events("all-reduce");
    EXPECT_EQ(found.size(), several ? 1U : 0U);
    if (found.size() == 1) {
      EXPECT_EQ(found[0].bytes, 400);
      EXPECT_EQ(found[0].kind, kind);
      EXPECT_EQ(log.text_of(found[0].group), name);
    }
  }
}

TEST_F(WorkOfOperations, TheTimeUntilTheLastRankComesIsWaiting) {
  MpiCommunicator data(world);
  std::vector<float> values(100'003);
  before = log.totals();
  static_cast<void>(log.take_events());
  if (world.rank() == world.size() - 1) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  data.all_reduce(queue, view_of(values), Reduction::sum);
  const auto found = events("all-reduce");
  EXPECT_EQ(calls(WorkKind::waiting), several ? 1 : 0);
  for (const WorkLog::Event& event : found) {
    EXPECT_EQ(event.bytes, 400'012);
    EXPECT_GT(event.waited, 0);
    EXPECT_EQ(nanoseconds(WorkKind::waiting), event.waited);
    EXPECT_EQ(nanoseconds(WorkKind::data_communication), event.end - event.begin - event.waited);
  }
}

TEST_F(WorkOfOperations, AStartedOperationIsCommunicationAndThenWaiting) {
  MpiCommunicator data(world);
  std::vector<float> values(100);
  before = log.totals();
  static_cast<void>(log.take_events());
  data.start_all_reduce(queue, view_of(values), Reduction::sum).wait();
  EXPECT_EQ(calls(WorkKind::data_communication), several ? 1 : 0);
  EXPECT_EQ(calls(WorkKind::waiting), several ? 1 : 0);
}

TEST_F(WorkOfOperations, ControlIsWaiting) {
  world.barrier();
  static_cast<void>(all_sum(world, 1.0));
  EXPECT_EQ(calls(WorkKind::waiting), several ? 2 : 0);
  EXPECT_EQ(calls(WorkKind::data_communication), 0);
  const auto found = events("all-reduce");
  EXPECT_EQ(found.size(), several ? 1U : 0U);
  if (found.size() == 1) {
    EXPECT_EQ(found[0].bytes, 8);
    EXPECT_EQ(found[0].waited, found[0].end - found[0].begin);
  }
}

TEST_F(WorkOfOperations, MessagesHaveTheirBytes) {
  Mailbox mailbox(world, 77);
  const int next = (world.rank() + 1) % world.size();
  mailbox.post(next, Bytes(123));
  static_cast<void>(mailbox.receive("a message"));
  mailbox.flush();
  const int source = (world.rank() + world.size() - 1) % world.size();
  const auto taken = log.take_events();
  std::int64_t sent = 0;
  std::int64_t received = 0;
  for (const WorkLog::Event& event : taken.events) {
    sent += log.text_of(event.name) == "message to rank " + std::to_string(next) ? event.bytes : 0;
    received +=
        log.text_of(event.name) == "receive from rank " + std::to_string(source) ? event.bytes : 0;
  }
  EXPECT_EQ(sent, 123);
  EXPECT_EQ(received, 123);
  EXPECT_EQ(calls(WorkKind::data_communication), 2);
}

TEST_F(WorkOfOperations, OneNodeHasOneClock) { EXPECT_EQ(clock_offset(world), 0); }

}  // namespace
}  // namespace precis
