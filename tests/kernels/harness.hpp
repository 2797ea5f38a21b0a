// What kernel tests share: random tensors, kernels run between sentinels on two backends side by
// side, and the normalised error of each output.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "kernels/backend.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/reference/kernels.hpp"
#include "kernels/tensor.hpp"

namespace precis::test {

/// A tensor in host memory, of any element type, that owns its elements.
class HostTensor {
 public:
  HostTensor() = default;
  HostTensor(DType dtype, const Shape& shape)
      : dtype_(dtype),
        shape_(shape),
        bytes_(static_cast<std::size_t>(shape.numel() * size_of(dtype))) {}
  template <class T>
  HostTensor(const Shape& shape, const std::vector<T>& values) : HostTensor(dtype_of<T>, shape) {
    assert(static_cast<std::int64_t>(values.size()) == shape.numel());
    std::copy(values.begin(), values.end(), data<T>());
  }
  /// One axis.
  template <class T>
  explicit HostTensor(const std::vector<T>& values)
      : HostTensor(Shape{static_cast<std::int64_t>(values.size())}, values) {}

  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] std::int64_t numel() const { return shape_.numel(); }
  [[nodiscard]] std::vector<std::byte>& bytes() { return bytes_; }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }
  [[nodiscard]] View view() { return {bytes_.data(), dtype_, shape_}; }
  [[nodiscard]] ConstView view() const { return {bytes_.data(), dtype_, shape_}; }

  template <class T>
  [[nodiscard]] T* data() {
    return view().data<T>();
  }
  template <class T>
  [[nodiscard]] const T* data() const {
    return view().data<T>();
  }
  template <class T>
  [[nodiscard]] std::vector<T> values() const {
    return {data<T>(), data<T>() + numel()};
  }
  /// Slices [begin, end) of axis 0, copied.
  [[nodiscard]] HostTensor rows(std::int64_t begin, std::int64_t end) const {
    const ConstView part = view().rows(begin, end);
    HostTensor result(dtype_, part.shape());
    std::copy_n(part.bytes(), part.size_bytes(), result.bytes_.data());
    return result;
  }
  /// Element i, whatever the type.
  [[nodiscard]] double number(std::int64_t i) const {
    switch (dtype_) {
      case DType::f32:
        return static_cast<double>(data<float>()[i]);
      case DType::f64:
        return data<double>()[i];
      case DType::bf16: {
        const auto bits = static_cast<std::uint32_t>(data<BFloat16>()[i].bits) << 16;
        return static_cast<double>(std::bit_cast<float>(bits));
      }
      case DType::i32:
        return data<std::int32_t>()[i];
      case DType::i64:
        return static_cast<double>(data<std::int64_t>()[i]);
      case DType::u8:
        return data<std::uint8_t>()[i];
    }
    return 0.0;
  }
  /// Same type, shape and bits.
  friend bool operator==(const HostTensor&, const HostTensor&) = default;

 private:
  DType dtype_ = DType::f32;
  Shape shape_;
  std::vector<std::byte> bytes_;
};

[[nodiscard]] inline HostTensor zeros(const Shape& shape, DType dtype = DType::f32) {
  return {dtype, shape};
}

/// Random tensors, the same in every run.
class Random {
 public:
  explicit Random(std::uint64_t seed) : stream_(seed, Purpose::testing, 0) {}

  /// f32, normal.
  [[nodiscard]] HostTensor normal(const Shape& shape, double deviation = 1.0, double mean = 0.0) {
    HostTensor result(DType::f32, shape);
    for (std::int64_t i = 0; i < shape.numel(); ++i) {
      const double radius = std::sqrt(-2.0 * std::log(stream_.uniform()));
      const double angle = 2.0 * std::numbers::pi * stream_.uniform();
      result.data<float>()[i] = static_cast<float>(mean + deviation * radius * std::cos(angle));
    }
    return result;
  }
  /// f32, uniform in (low, high).
  [[nodiscard]] HostTensor uniform(const Shape& shape, double low, double high) {
    HostTensor result(DType::f32, shape);
    for (std::int64_t i = 0; i < shape.numel(); ++i) {
      result.data<float>()[i] = static_cast<float>(low + (high - low) * stream_.uniform());
    }
    return result;
  }
  /// i32, uniform in [0, below).
  [[nodiscard]] HostTensor indices(const Shape& shape, std::int64_t below) {
    HostTensor result(DType::i32, shape);
    for (std::int64_t i = 0; i < shape.numel(); ++i) {
      result.data<std::int32_t>()[i] =
          static_cast<std::int32_t>(stream_.below(static_cast<std::uint32_t>(below)));
    }
    return result;
  }
  [[nodiscard]] RandomStream& stream() { return stream_; }

 private:
  RandomStream stream_;
};

/// One run of a kernel on one backend. Arguments are copied into the backend's memory, between
/// sentinels whose bytes are all ones: a NaN in every floating type, so that a read beyond an
/// argument shows in the result, and a write beyond it in the sentinel.
class Run {
 public:
  explicit Run(const Backend& on) : backend(on), queue(on.make_queue()) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  const Backend& backend;
  Queue queue;

  /// An argument that is read.
  [[nodiscard]] ConstView in(const HostTensor& tensor) { return place("", tensor); }
  /// An argument that is written, with its contents before the call; `name` finds it afterwards.
  [[nodiscard]] View out(const std::string& name, const HostTensor& before) {
    return place(name, before);
  }

  /// Waits, checks all sentinels, and returns the written arguments by name.
  [[nodiscard]] std::map<std::string, HostTensor> results() {
    std::map<std::string, HostTensor> written;
    backend.synchronize(queue);
    for (const Argument& argument : arguments_) {
      std::vector<std::byte> buffer(argument.before.bytes().size() + 2 * guard_);
      backend.copy_to_host(queue, bytes_of(buffer.data(), buffer.size()), argument.memory.view());
      const auto is_intact = [](std::byte byte) { return byte == std::byte{0xff}; };
      EXPECT_TRUE(std::all_of(buffer.begin(), buffer.begin() + guard_, is_intact))
          << backend.name << " wrote before the beginning of an argument " << argument.name;
      EXPECT_TRUE(std::all_of(buffer.end() - guard_, buffer.end(), is_intact))
          << backend.name << " wrote beyond the end of an argument " << argument.name;
      HostTensor after = argument.before;
      std::copy(buffer.begin() + guard_, buffer.end() - guard_, after.bytes().begin());
      if (argument.name.empty()) {
        EXPECT_TRUE(after == argument.before) << backend.name << " wrote to an input";
      } else {
        written[argument.name] = std::move(after);
      }
    }
    return written;
  }

 private:
  struct Argument {
    std::string name;
    HostTensor before;
    Tensor memory;
  };

  static constexpr std::ptrdiff_t guard_ = 256;

  static View bytes_of(void* memory, std::size_t size) {
    return {static_cast<std::byte*>(memory), DType::u8, Shape{static_cast<std::int64_t>(size)}};
  }

  View place(const std::string& name, const HostTensor& tensor) {
    if (tensor.shape().rank() == 0) {
      return {};
    }
    std::vector<std::byte> buffer(tensor.bytes().size() + 2 * guard_, std::byte{0xff});
    std::copy(tensor.bytes().begin(), tensor.bytes().end(), buffer.begin() + guard_);
    Tensor memory(queue.memory(), Shape{static_cast<std::int64_t>(buffer.size())}, DType::u8,
                  MemoryUse::scratch);
    backend.copy_to_device(queue, memory.view(), bytes_of(buffer.data(), buffer.size()));
    const View view(memory.view().bytes() + guard_, tensor.dtype(), tensor.shape());
    arguments_.push_back({name, tensor, std::move(memory)});
    return view;
  }

  std::list<Argument> arguments_;
};

using Call = std::function<void(Run&)>;

/// The written arguments of `call` on one backend.
[[nodiscard]] inline std::map<std::string, HostTensor> run_on(const Backend& backend,
                                                              const Call& call) {
  Run run(backend);
  call(run);
  return run.results();
}

/// sqrt(sum (actual - expected)^2 / sum expected^2); infinite where one of two elements is not
/// finite and they are not the same.
[[nodiscard]] inline double normalised_error(const HostTensor& actual, const HostTensor& expected) {
  double error = 0.0;
  double size = 0.0;
  for (std::int64_t i = 0; i < expected.numel(); ++i) {
    const double a = actual.number(i);
    const double e = expected.number(i);
    if (!std::isfinite(a) || !std::isfinite(e)) {
      if (a == e || (std::isnan(a) && std::isnan(e))) {
        continue;
      }
      return std::numeric_limits<double>::infinity();
    }
    error += (a - e) * (a - e);
    size += e * e;
  }
  return std::sqrt(error / (size > 0.0 ? size : 1.0));
}

/// Lists of integers must be equal; numbers within `tolerance` in normalised error.
inline void expect_close(const std::string& what, const HostTensor& actual,
                         const HostTensor& expected, double tolerance) {
  ASSERT_EQ(actual.dtype(), expected.dtype()) << what;
  ASSERT_EQ(actual.shape(), expected.shape()) << what;
  const bool exact = expected.dtype() == DType::i32 || expected.dtype() == DType::i64 ||
                     expected.dtype() == DType::u8;
  EXPECT_LE(normalised_error(actual, expected), exact ? 0.0 : tolerance) << what;
}

/// The backend that is compared with `reference`: the same tests are linked once for each
/// (on_cpu.cpp, on_cuda.cpp).
[[nodiscard]] const Backend& backend_under_test();

/// Runs `call` on the backend under test and on `reference`; each output must agree within
/// `tolerance` in normalised error. The default is some roundings of f32.
inline void expect_agreement(const Call& call, double tolerance = 1e-6) {
  const auto expected = run_on(reference::backend, call);
  const auto actual = run_on(backend_under_test(), call);
  for (const auto& [name, tensor] : expected) {
    expect_close(backend_under_test().name + (": " + name), actual.at(name), tensor, tolerance);
  }
}

}  // namespace precis::test
