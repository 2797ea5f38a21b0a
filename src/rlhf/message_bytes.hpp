// Messages between ranks as bytes: one visit of a type's fields serves writing and reading.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "base/error.hpp"
#include "parallel/communicator.hpp"

namespace precis {

/// Called with each field, appends it to `bytes`.
struct ToBytes {
  Bytes bytes;

  void append(const void* data, std::size_t size) {
    const std::size_t place = bytes.size();
    bytes.resize(place + size);
    if (size > 0) {
      std::memcpy(bytes.data() + place, data, size);
    }
  }
  template <class T>
  void operator()(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    append(&value, sizeof value);
  }
  template <class T>
  void operator()(const std::vector<T>& values) {
    (*this)(static_cast<std::int64_t>(values.size()));
    append(values.data(), values.size() * sizeof(T));
  }
};

/// Called with each field, takes it from the front of `bytes`. Throws Error if they end early.
struct FromBytes {
  std::span<const std::byte>& bytes;

  void take(void* data, std::size_t size) {
    require(size <= bytes.size(), "A message between ranks ends early: {} bytes of {}.",
            bytes.size(), size);
    if (size > 0) {
      std::memcpy(data, bytes.data(), size);
    }
    bytes = bytes.subspan(size);
  }
  template <class T>
  void operator()(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    take(&value, sizeof value);
  }
  template <class T>
  void operator()(std::vector<T>& values) {
    std::int64_t count = 0;
    (*this)(count);
    require(count >= 0 && static_cast<std::size_t>(count) <= bytes.size() / sizeof(T),
            "A message between ranks holds a list of {} elements in {} bytes.", count,
            bytes.size());
    values.resize(static_cast<std::size_t>(count));
    take(values.data(), values.size() * sizeof(T));
  }
};

}  // namespace precis
