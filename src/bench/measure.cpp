#include "bench/measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/text.hpp"

namespace precis {
namespace {

/// Repeats shorter than this would show the clock and the launch rather than the work.
constexpr double shortest_repeat = 0.02;
constexpr std::int64_t most_calls = 1000;
constexpr std::int64_t copied_bytes = std::int64_t{256} << 20;
constexpr std::int64_t smallest_product = 256;
constexpr std::int64_t largest_product = 8192;

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// "1.23 TFLOP/s", "456 us": three digits of a number between 1 and 1000.
std::string with_prefix(double value, std::string_view unit) {
  constexpr std::array prefixes = {"n", "u", "m", "", "k", "M", "G", "T", "P"};
  std::size_t prefix = 3;
  while (value >= 999.5 && prefix + 1 < prefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  while (value < 0.9995 && prefix > 0) {
    value *= 1000;
    --prefix;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}{}", value, decimals, prefixes[prefix], unit);
}

/// In what the floor is set by, or in tokens.
std::string rate_text(const Measurement& measurement, const Ceilings& ceilings) {
  if (measurement.tokens > 0) {
    const double rate = static_cast<double>(measurement.tokens) / measurement.median();
    return (rate < 1000 ? fmt::format("{:.1f}", rate) : with_thousands(std::llround(rate))) +
           " tokens/s";
  }
  const bool by_flop = measurement.work.flop * ceilings.bytes_per_second >
                       measurement.work.bytes * ceilings.flop_per_second;
  return by_flop ? with_prefix(measurement.work.flop / measurement.median(), "FLOP/s")
                 : with_prefix(measurement.work.bytes / measurement.median(), "B/s");
}

double product_rate(const Timing& timing, RandomTensors& random, std::int64_t n) {
  Device& device = timing.device();
  const Tensor x = random.make({n, n}, device.precision());
  const Tensor weight = random.make({n, n}, DType::f32);
  Tensor y = device.allocate({n, n}, device.precision());
  const Pack pack = device.backend().pack_weight(device.queue(), weight.view(), PackFor::forward,
                                                 device.precision(), {});
  const auto seconds = timing.seconds([&] {
    device.backend().linear_forward(device.queue(), y.view(), x.view(), pack, {}, {}, {});
  });
  return 2 * std::pow(static_cast<double>(n), 3) / median_of(seconds);
}

}  // namespace

double floor_seconds(const WorkSize& work, const Ceilings& ceilings) {
  return std::max(work.flop / ceilings.flop_per_second, work.bytes / ceilings.bytes_per_second);
}

double Measurement::median() const { return median_of(seconds); }

double Measurement::spread() const {
  const auto [fastest, slowest] = std::ranges::minmax(seconds);
  return fastest / slowest;
}

double Timing::once(const std::function<void()>& work, std::int64_t calls) const {
  const Stopwatch watch;
  for (std::int64_t call = 0; call < calls; ++call) {
    work();
  }
  device_.backend().synchronize(device_.queue());
  return watch.seconds() / static_cast<double>(calls);
}

std::vector<double> Timing::seconds(const std::function<void()>& work) const {
  (void)once(work, 1);  // makes plans and memory
  const auto calls = static_cast<std::int64_t>(std::ceil(shortest_repeat / once(work, 1)));
  std::vector<double> out;
  for (std::int64_t repeat = 0; repeat < repeats_; ++repeat) {
    between_();
    out.push_back(once(work, std::clamp(calls, std::int64_t{1}, most_calls)));
  }
  return out;
}

RandomTensors::RandomTensors(Device& device, std::uint64_t seed) : device_(device) {
  // A prime number of pairs: rows of a matrix do not repeat.
  for (std::uint32_t index = 0; index < 1'000'003; ++index) {
    for (const double number :
         normals_from(random_block(seed, Purpose::initial_weights, 0, 0, index))) {
      numbers_.push_back(static_cast<float>(number));
    }
  }
}

Tensor RandomTensors::make(const Shape& shape, DType dtype) {
  std::vector<float> host(static_cast<std::size_t>(shape.numel()));
  for (std::size_t filled = 0; filled < host.size();) {
    next_ %= numbers_.size();
    const std::size_t part = std::min(numbers_.size() - next_, host.size() - filled);
    std::copy_n(numbers_.begin() + static_cast<std::ptrdiff_t>(next_), part,
                host.begin() + static_cast<std::ptrdiff_t>(filled));
    next_ += part;
    filled += part;
  }
  if (dtype == DType::f32) {
    return tensor_of(device_, host, shape);
  }
  std::vector<BFloat16> rounded(host.size());
  std::ranges::transform(host, rounded.begin(), to_bf16);
  return tensor_of(device_, rounded, shape);
}

Ceilings measure_ceilings(const Timing& timing, RandomTensors& random) {
  Device& device = timing.device();
  Ceilings out;
  {
    const Tensor from = random.make({copied_bytes / size_of(DType::f32)}, DType::f32);
    Tensor to = device.allocate(from.shape());
    const auto seconds =
        timing.seconds([&] { device.backend().copy(device.queue(), to.view(), from.view()); });
    out.bytes_per_second = 2 * static_cast<double>(copied_bytes) / median_of(seconds);
  }
  for (std::int64_t n = smallest_product; n <= largest_product; n *= 2) {
    const double rate = product_rate(timing, random, n);
    if (rate > out.flop_per_second) {
      out.flop_per_second = rate;
      out.product_size = n;
    }
    if (2 * std::pow(static_cast<double>(n), 3) / rate > shortest_repeat) {
      break;
    }
  }
  return out;
}

std::string to_text(const Ceilings& ceilings, std::span<const Measurement> results) {
  std::string text =
      fmt::format("Ceilings: copy {} (bytes read and written), products {} ({} x {}).\n\n",
                  with_prefix(ceilings.bytes_per_second, "B/s"),
                  with_prefix(ceilings.flop_per_second, "FLOP/s"), ceilings.product_size,
                  ceilings.product_size);
  constexpr auto row = "{:<46} {:>8} {:>7} {:>18} {:>8} {:>11}\n";
  text += fmt::format(row, "", "time", "spread", "rate", "floor", "floor/time");
  for (const Measurement& measurement : results) {
    const double floor = floor_seconds(measurement.work, ceilings);
    text +=
        fmt::format(row, measurement.name, with_prefix(measurement.median(), "s"),
                    fmt::format("{:.2f}", measurement.spread()), rate_text(measurement, ceilings),
                    with_prefix(floor, "s"), fmt::format("{:.3f}", floor / measurement.median()));
  }
  return text;
}

nlohmann::ordered_json to_json(const Ceilings& ceilings, std::span<const Measurement> results) {
  auto rows = nlohmann::ordered_json::array();
  for (const Measurement& measurement : results) {
    const double floor = floor_seconds(measurement.work, ceilings);
    nlohmann::ordered_json row = {{"name", measurement.name},
                                  {"seconds", measurement.median()},
                                  {"spread", measurement.spread()},
                                  {"flop", measurement.work.flop},
                                  {"bytes", measurement.work.bytes},
                                  {"floor_seconds", floor},
                                  {"floor_over_time", floor / measurement.median()},
                                  {"repeats", measurement.seconds}};
    if (measurement.tokens > 0) {
      row["tokens"] = measurement.tokens;
      row["tokens_per_second"] = static_cast<double>(measurement.tokens) / measurement.median();
    }
    rows.push_back(std::move(row));
  }
  return {{"ceilings",
           {{"bytes_per_second", ceilings.bytes_per_second},
            {"flop_per_second", ceilings.flop_per_second},
            {"product_size", ceilings.product_size}}},
          {"results", std::move(rows)}};
}

}  // namespace precis
