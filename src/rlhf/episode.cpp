#include "rlhf/episode.hpp"

#include <cstring>
#include <type_traits>

#include "base/error.hpp"

namespace precis {
namespace {

/// One description of a message's fields serves writing and reading.
template <class Episode, class Visitor>
void visit_episode(Episode& e, Visitor& field) {
  field(e.number);
  field(e.prompt);
  field(e.query);
  field(e.response);
  field(e.ended);
  field(e.rollout_logprobs);
  field(e.weight_version);
  field(e.score_raw);
  field(e.reference_logprobs);
  field(e.reference_hidden);
}

template <class Experience, class Visitor>
void visit_experience(Experience& e, Visitor& field) {
  visit_episode(e.episode, field);
  field(e.logprobs);
  field(e.values);
  field(e.entropies);
  field(e.exact_kls);
  field(e.score);
  field(e.rewards);
  field(e.advantages);
  field(e.returns);
}

struct Packer {
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

struct Unpacker {
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

}  // namespace

Bytes pack(const Episode& episode) {
  Packer packer;
  visit_episode(episode, packer);
  return std::move(packer.bytes);
}

Bytes pack(const Experience& experience) {
  Packer packer;
  visit_experience(experience, packer);
  return std::move(packer.bytes);
}

void unpack(std::span<const std::byte>& bytes, Episode& episode) {
  Unpacker unpacker{bytes};
  visit_episode(episode, unpacker);
}

void unpack(std::span<const std::byte>& bytes, Experience& experience) {
  Unpacker unpacker{bytes};
  visit_experience(experience, unpacker);
}

}  // namespace precis
