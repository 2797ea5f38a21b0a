// How long work takes on a device, beside the floor that the device's measured limits set.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "device/device.hpp"

namespace precis {

/// What a call cannot do without, by a formula of its shapes.
struct WorkSize {
  double flop = 0;   ///< of matrix products and attention; what else is computed does not count
  double bytes = 0;  ///< of every operand, read or written once
};

/// What the device does at best, measured beside the work.
struct Ceilings {
  double bytes_per_second = 0;    ///< of a copy, bytes read and written
  double flop_per_second = 0;     ///< of a product of square matrices in the device's precision
  std::int64_t product_size = 0;  ///< rows and columns of these matrices
};

/// Seconds that the work takes at least: max(FLOP / rate of products, bytes / bandwidth).
[[nodiscard]] double floor_seconds(const WorkSize& work, const Ceilings& ceilings);

struct Measurement {
  std::string name;
  WorkSize work;
  std::int64_t tokens = 0;      ///< that a call treats; 0: it is not counted in tokens
  std::vector<double> seconds;  ///< of a call, a number each repeat

  [[nodiscard]] double median() const;
  /// The fastest repeat's time over the slowest's.
  [[nodiscard]] double spread() const;
};

/// Takes times on one device.
class Timing {
 public:
  /// `between` is called before each repeat (for the watchdog).
  Timing(Device& device, std::int64_t repeats, std::function<void()> between)
      : device_(device), repeats_(repeats), between_(std::move(between)) {}

  /// Seconds of a call of `work` in each repeat, until the device is done with it. Two calls come
  /// first and do not count. What is short is called several times a repeat.
  [[nodiscard]] std::vector<double> seconds(const std::function<void()>& work) const;

  /// To be called before each repeat.
  void between() const { between_(); }
  [[nodiscard]] Device& device() const noexcept { return device_; }
  [[nodiscard]] std::int64_t repeats() const noexcept { return repeats_; }

 private:
  [[nodiscard]] double once(const std::function<void()>& work, std::int64_t calls) const;

  Device& device_;
  std::int64_t repeats_;
  std::function<void()> between_;
};

/// Tensors of normal random numbers, all pieces of one list that repeats.
class RandomTensors {
 public:
  RandomTensors(Device& device, std::uint64_t seed);
  /// f32 or bf16.
  [[nodiscard]] Tensor make(const Shape& shape, DType dtype);

 private:
  Device& device_;
  std::vector<float> numbers_;
  std::size_t next_ = 0;
};

/// A copy of host numbers on the device.
template <class T>
[[nodiscard]] Tensor tensor_of(Device& device, const std::vector<T>& host, const Shape& shape) {
  Tensor out = device.allocate(shape, dtype_of<T>);
  device.backend().copy_to_device(device.queue(), out.view(), view_of(host.data(), shape));
  return out;
}

/// A copy of 256 MiB, and the largest square product that does not take long.
[[nodiscard]] Ceilings measure_ceilings(const Timing& timing, RandomTensors& random);

/// A table for people: time, spread, rate, floor, floor/time.
[[nodiscard]] std::string to_text(const Ceilings& ceilings, std::span<const Measurement> results);
/// The same numbers, and the times of all repeats, to be members of one object.
[[nodiscard]] nlohmann::ordered_json to_json(const Ceilings& ceilings,
                                             std::span<const Measurement> results);

}  // namespace precis
