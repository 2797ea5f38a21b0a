#include "model/limited_device.hpp"

#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/queue.hpp"
#include "kernels/table.hpp"

namespace precis {
namespace limited {
namespace {

using namespace cpu;  // NOLINT(google-build-using-namespace): table.inc names all its kernels

std::int64_t bytes_of_next_device = 0;

class LimitedMemory final : public Memory {
 public:
  explicit LimitedMemory(std::int64_t bytes) : Memory("test memory"), bytes_(bytes) {}
  [[nodiscard]] Space space() const override { return {bytes_ - held().total(), bytes_}; }

 private:
  [[nodiscard]] void* take(std::int64_t bytes) override {
    return bytes > space().free ? nullptr : ::operator new(bytes, std::align_val_t(64));
  }
  void give_back(void* memory) noexcept override {
    ::operator delete(memory, std::align_val_t(64));
  }

  std::int64_t bytes_;
};

Queue make_queue() {
  const auto memory = std::make_shared<LimitedMemory>(bytes_of_next_device);
  return Queue(memory, std::make_shared<QueueState>(memory));
}

constexpr Capabilities capabilities{.reads_lists = true};

const Backend backend{
    .name = "limited",
    .runs_ahead = false,
    .one_pack = false,
#include "kernels/table.inc"
};

}  // namespace
}  // namespace limited

namespace test {

Device limited_device(std::int64_t bytes) {
  limited::bytes_of_next_device = bytes;
  return Device(limited::backend);
}

}  // namespace test
}  // namespace precis
