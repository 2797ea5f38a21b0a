// Event files: the published check values, bytes made by hand, reading back, cutting back.
#include "io/tensorboard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "io/crc32c.hpp"
#include "io/output_file.hpp"
#include "io/run_folder.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::ElementsAre;
using testing::Pair;

std::string bytes_of(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) {
    bytes += static_cast<char>(value);
  }
  return bytes;
}

// RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
TEST(Crc32c, HasThePublishedValues) {
  std::string rising;
  for (int i = 0; i < 32; ++i) {
    rising += static_cast<char>(i);
  }
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c(rising), 0x46dd794eU);
  EXPECT_EQ(crc32c(std::string(rising.rbegin(), rising.rend())), 0x113fdb5cU);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(Tensorboard, AnEventHasTheBytesOfTheFormat) {
  const std::string record =
      tensorboard_record({.wall_time = 1.0, .step = 300, .values = {{"a", 0.5F}}});
  // wall_time 1.0; step 300 as a varint; summary { value { tag "a" simple_value 0.5 } }.
  const std::string content =
      bytes_of({0x09, 0,  0,    0, 0,    0, 0,   0xf0, 0x3f, 0x10, 0xac, 0x02,
                0x2a, 10, 0x0a, 8, 0x0a, 1, 'a', 0x15, 0,    0,    0,    0x3f});
  ASSERT_EQ(record.size(), content.size() + 16);
  EXPECT_EQ(record.substr(0, 8), bytes_of({24, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(record.substr(12, content.size()), content);
  // The mask of TFRecord: the CRC turned by 15 bits, plus a constant.
  const std::uint32_t crc = crc32c(content);
  const std::uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(static_cast<unsigned char>(record[12 + content.size() + static_cast<std::size_t>(i)]),
              (masked >> (8 * i)) & 0xff);
  }
}

TEST(Tensorboard, WhatIsWrittenIsReadBack) {
  const TemporaryFolder folder;
  const auto path = folder / "events.out.tfevents.precis";
  {
    TensorboardFile file(path);
    file.append(
        1, {{"step", 1}, {"loss", 0.25}, {"tokens", 123456}, {"note", "text"}, {"flag", true}});
  }
  TensorboardFile(path).append(2, {{"step", 2}, {"loss", 1e-30}});
  const auto events = read_tensorboard_file(path);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  EXPECT_EQ(events[0].step, 0);
  EXPECT_EQ(events[1].step, 1);
  EXPECT_THAT(events[1].values, ElementsAre(Pair("loss", 0.25F), Pair("tokens", 123456.0F)));
  EXPECT_EQ(events[2].step, 2);
  EXPECT_THAT(events[2].values, ElementsAre(Pair("loss", 1e-30F)));
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_NEAR(events[2].wall_time, now, 60);
}

TEST(Tensorboard, IsCutBackWithTheRunFolder) {
  const TemporaryFolder folder;
  const RunFolder run(folder / "run");
  std::string after_two;
  {
    TensorboardFile file(run.tensorboard());
    for (int step = 1; step <= 5; ++step) {
      file.append(step, {{"loss", 1.0 / step}});
      after_two = step == 2 ? read_file(run.tensorboard()) : after_two;
    }
  }
  const std::string whole = read_file(run.tensorboard());
  run.cut_back(5);
  EXPECT_EQ(read_file(run.tensorboard()), whole);
  run.cut_back(2);
  EXPECT_EQ(read_file(run.tensorboard()), after_two);
  run.cut_back(0);
  EXPECT_EQ(read_tensorboard_file(run.tensorboard()).size(), 1U) << "the version stays";
}

TEST(Tensorboard, AtEveryTornEndTheWholeEventsStay) {
  const TemporaryFolder folder;
  const auto path = folder / "events.out.tfevents.precis";
  {
    TensorboardFile file(path);
    file.append(1, {{"loss", 1}});
    file.append(2, {{"loss", 2}});
  }
  const std::string whole = read_file(path);
  std::vector<std::uint64_t> ends;
  ASSERT_EQ(read_tensorboard_file(path, &ends).size(), 3U);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    folder.file("events.out.tfevents.precis", whole.substr(0, length));
    const std::size_t expected = static_cast<std::size_t>(
        std::count_if(ends.begin(), ends.end(), [&](auto end) { return end <= length; }));
    ASSERT_EQ(read_tensorboard_file(path).size(), expected) << length;
    cut_back_tensorboard(path, 2);
    ASSERT_EQ(read_file(path).size(), expected == 0 ? 0 : ends[expected - 1]) << length;
    TensorboardFile(path).append(2, {{"loss", 3}});
    ASSERT_EQ(read_tensorboard_file(path).size(), std::max<std::size_t>(expected, 1) + 1) << length;
  }
}

TEST(Tensorboard, DamageIsNotRead) {
  const TemporaryFolder folder;
  const auto path = folder / "events.out.tfevents.precis";
  TensorboardFile(path).append(1, {{"loss", 1}});
  const std::string whole = read_file(path);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    folder.file("events.out.tfevents.precis", damaged);
    EXPECT_LT(read_tensorboard_file(path).size(), 2U) << i;
  }
}

TEST(Tensorboard, FoldersWithoutEventsStaySo) {
  const TemporaryFolder folder;
  cut_back_tensorboard(folder / "events.out.tfevents.precis", 3);
  EXPECT_FALSE(std::filesystem::exists(folder / "events.out.tfevents.precis"));
}

}  // namespace
}  // namespace precis
