// Queues: events between two of them, and repeated work, which has the same results whether it is
// done or what a device recorded is started again.
#include <gtest/gtest.h>

#include <stdexcept>

#include "device/device.hpp"
#include "model/backends.hpp"

namespace precis {
namespace {

class QueueOn : public testing::TestWithParam<const Backend*> {
 protected:
  /// total += x, the repeated work; counts how often the host is asked for it.
  void repeat() {
    device.backend().repeat(device.queue(), recording, [&] {
      ++calls;
      device.backend().add(device.queue(), total.view(), x.view());
    });
  }
  void set_x(float value) {
    const std::vector<float> host(3, value);
    device.backend().copy_to_device(device.queue(), x.view(), view_of(host));
  }
  [[nodiscard]] float sum() { return device.to_host<float>(total.view())[2]; }

  Device device{*GetParam()};
  Tensor x = device.zeros({3});
  Tensor total = device.zeros({3});
  Recording recording;
  int calls = 0;
};

TEST_P(QueueOn, SeesWhatIsInMemoryEachTime) {
  float expected = 0.0F;
  for (int time = 1; time <= 5; ++time) {
    const auto value = static_cast<float>(time);
    set_x(value);
    repeat();
    expected += value;
    EXPECT_EQ(sum(), expected) << "time " << time;
  }
  EXPECT_EQ(calls, device.backend().runs_ahead ? 2 : 5);
}

TEST_P(QueueOn, AsksAnewAfterMemoryHasChanged) {
  set_x(1.0F);
  for (int time = 0; time < 3; ++time) {
    repeat();
  }
  const int before = calls;
  const Tensor another = device.zeros({1000});
  repeat();
  EXPECT_GT(calls, before);
  EXPECT_EQ(sum(), 4.0F);
}

TEST_P(QueueOn, AWorkThatThrowsLeavesTheQueueAsItWas) {
  set_x(1.0F);
  repeat();
  EXPECT_THROW(
      device.backend().repeat(device.queue(), recording, [] { throw std::runtime_error("no"); }),
      std::runtime_error);
  repeat();
  repeat();
  EXPECT_EQ(sum(), 3.0F);
}

TEST_P(QueueOn, AQueueWaitsForAnEventOfAnother) {
  const Backend& backend = device.backend();
  Queue other = backend.make_queue();
  set_x(1.0F);
  for (int time = 0; time < 1000; ++time) {
    backend.add(device.queue(), total.view(), x.view());
  }
  Tensor seen = device.zeros({3});
  const Event added = backend.record(device.queue());
  backend.wait(other, added);
  backend.copy(other, seen.view(), total.view());
  backend.synchronize(other);
  EXPECT_EQ(device.to_host<float>(seen.view())[1], 1000.0F);
}

INSTANTIATE_TEST_SUITE_P(AllBackends, QueueOn, testing::ValuesIn(backends_under_test()),
                         [](const auto& of) { return of.param->name; });

}  // namespace
}  // namespace precis
