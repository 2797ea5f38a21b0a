#include "io/tensorboard.hpp"

#include <bit>
#include <chrono>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/error.hpp"
#include "io/crc32c.hpp"
#include "io/output_file.hpp"

namespace precis {
namespace {

namespace fs = std::filesystem;

// Field numbers and wire types of TensorFlow's event.proto and summary.proto, as tags: number * 8 +
// type, where 0 is a varint, 1 has eight bytes, 2 a length, 5 four bytes.
constexpr char event_wall_time = 0x09;
constexpr char event_step = 0x10;
constexpr char event_file_version = 0x1a;
constexpr char event_summary = 0x2a;
constexpr char summary_value = 0x0a;
constexpr char value_tag = 0x0a;
constexpr char value_simple = 0x15;

constexpr std::size_t most_bytes = std::size_t{1} << 26;  // of a record: more is damage

template <class T>
std::string little_endian(T value) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

template <class T>
T from_little_endian(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) {
    bytes += static_cast<char>(value | 0x80);
  }
  return bytes + static_cast<char>(value);
}

std::string with_length(char tag, std::string_view bytes) {
  return tag + varint(bytes.size()) + std::string(bytes);
}

/// So that the CRC of bytes that hold a CRC is not trivial (TFRecord).
std::uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8U;
}

std::string message(const TensorboardEvent& event) {
  std::string bytes = event_wall_time + little_endian(event.wall_time);
  bytes += event_step + varint(static_cast<std::uint64_t>(event.step));
  if (!event.file_version.empty()) {
    bytes += with_length(event_file_version, event.file_version);
  }
  std::string summary;
  for (const auto& [tag, value] : event.values) {
    summary += with_length(summary_value,
                           with_length(value_tag, tag) + value_simple + little_endian(value));
  }
  return event.values.empty() ? bytes : bytes + with_length(event_summary, summary);
}

/// Reads fields from the front of a message; `good` is false once the message does not have the
/// expected form.
struct Fields {
  std::string_view rest;
  bool good = true;

  std::string_view take(std::uint64_t count) {
    good = good && count <= rest.size();
    const std::string_view bytes = rest.substr(0, good ? count : 0);
    rest.remove_prefix(bytes.size());
    return bytes;
  }
  std::uint64_t take_varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::string_view byte = take(1);
      if (!good) {
        return 0;
      }
      value |= (static_cast<std::uint64_t>(byte[0]) & 0x7f) << shift;
      if ((static_cast<unsigned char>(byte[0]) & 0x80) == 0) {
        return value;
      }
    }
    good = false;
    return 0;
  }
  std::string_view take_with_length() { return take(take_varint()); }
  template <class T>
  T take_number() {
    const std::string_view bytes = take(sizeof(T));
    return good ? from_little_endian<T>(bytes) : T{};
  }
};

bool read_value(std::string_view bytes, TensorboardEvent& event) {
  Fields fields{bytes};
  std::pair<std::string, float> value;
  while (fields.good && !fields.rest.empty()) {
    const char tag = fields.take(1)[0];
    if (tag == value_tag) {
      value.first = fields.take_with_length();
    } else if (tag == value_simple) {
      value.second = fields.take_number<float>();
    } else {
      fields.good = false;
    }
  }
  event.values.push_back(std::move(value));
  return fields.good;
}

/// Events as this file writes them; anything else is damage.
std::optional<TensorboardEvent> read_message(std::string_view bytes) {
  TensorboardEvent event;
  Fields fields{bytes};
  while (fields.good && !fields.rest.empty()) {
    const char tag = fields.take(1)[0];
    if (tag == event_wall_time) {
      event.wall_time = fields.take_number<double>();
    } else if (tag == event_step) {
      event.step = static_cast<std::int64_t>(fields.take_varint());
    } else if (tag == event_file_version) {
      event.file_version = fields.take_with_length();
    } else if (tag == event_summary) {
      Fields summary{fields.take_with_length()};
      while (summary.good && !summary.rest.empty()) {
        summary.good = summary.take(1)[0] == summary_value &&
                       read_value(summary.take_with_length(), event) && summary.good;
      }
      fields.good = fields.good && summary.good;
    } else {
      fields.good = false;
    }
  }
  return fields.good ? std::optional(std::move(event)) : std::nullopt;
}

/// The next record's content; nothing at the end, and where it is torn or damaged.
std::optional<std::string_view> next_record(std::string_view& rest) {
  constexpr std::size_t header = sizeof(std::uint64_t) + sizeof(std::uint32_t);
  constexpr std::size_t footer = sizeof(std::uint32_t);
  if (rest.size() < header + footer) {
    return std::nullopt;
  }
  const std::string_view length_bytes = rest.substr(0, sizeof(std::uint64_t));
  const auto length = from_little_endian<std::uint64_t>(length_bytes);
  if (from_little_endian<std::uint32_t>(rest.substr(sizeof(std::uint64_t))) !=
          masked_crc(length_bytes) ||
      length > most_bytes || rest.size() - header - footer < length) {
    return std::nullopt;
  }
  const std::string_view content = rest.substr(header, length);
  if (from_little_endian<std::uint32_t>(rest.substr(header + length)) != masked_crc(content)) {
    return std::nullopt;
  }
  rest.remove_prefix(header + length + footer);
  return content;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string tensorboard_record(const TensorboardEvent& event) {
  const std::string content = message(event);
  const std::string length = little_endian(static_cast<std::uint64_t>(content.size()));
  return length + little_endian(masked_crc(length)) + content + little_endian(masked_crc(content));
}

std::vector<TensorboardEvent> read_tensorboard_file(const fs::path& file,
                                                    std::vector<std::uint64_t>* ends) {
  const std::string bytes = read_file(file);
  std::string_view rest = bytes;
  std::vector<TensorboardEvent> events;
  while (const auto record = next_record(rest)) {
    auto event = read_message(*record);
    if (!event) {
      break;
    }
    events.push_back(std::move(*event));
    if (ends != nullptr) {
      ends->push_back(bytes.size() - rest.size());
    }
  }
  return events;
}

TensorboardFile::TensorboardFile(const fs::path& path) : file_(path) {
  if (fs::file_size(path) == 0) {
    file_.append(tensorboard_record({.wall_time = seconds_now(), .file_version = "brain.Event:2"}));
  }
}

void TensorboardFile::append(std::int64_t step, const Row& metrics) {
  TensorboardEvent event{.wall_time = seconds_now(), .step = step};
  for (const auto& [name, value] : metrics.items()) {
    if (value.is_number() && name != "step") {
      event.values.emplace_back(name, value.get<float>());
    }
  }
  file_.append(tensorboard_record(event));
}

void cut_back_tensorboard(const fs::path& file, std::int64_t step) {
  std::error_code error;
  if (!fs::exists(file, error)) {
    return;
  }
  std::vector<std::uint64_t> ends;
  const auto events = read_tensorboard_file(file, &ends);
  const std::string bytes = read_file(file);
  std::string kept;
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].step <= step) {
      kept += bytes.substr(begin, ends[i] - begin);
    }
    begin = ends[i];
  }
  if (kept.size() != bytes.size()) {
    write_file(file, kept);
  }
}

}  // namespace precis
