#include "io/checkpoint.hpp"

#include "io/file_damage.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr float marker = 12345.678F;

std::filesystem::path write_to(const CheckpointFolder& folder, std::int64_t step,
                               const std::function<void(StateWriter&)>& describe,
                               OldCheckpoints old = OldCheckpoints::remove) {
  const auto file = folder.begin(step);
  describe(*file);
  folder.end(step, *file, old);
  return folder.folder() / checkpoint_name(step);
}

class Checkpoints : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "checkpoints"; }

  std::filesystem::path write(std::int64_t step, int keep = 3) const {
    return write_to(CheckpointFolder(path(), keep), step, [&](StateWriter& writer) {
      const std::vector<float> weight{1.0F, marker, static_cast<float>(step)};
      writer.text("state", fmt::format("{{\"step\":{}}}", step));
      writer.tensor("model/weights/head/weight", view_of(weight));
    });
  }

  [[nodiscard]] std::vector<std::int64_t> steps() const {
    std::vector<std::int64_t> result;
    for (const CheckpointEntry& entry : CheckpointFolder(path(), 1).list()) {
      result.push_back(entry.step);
    }
    return result;
  }

  /// The step of the newest whole one; -1 if there is none.
  std::int64_t newest() {
    const auto entry = CheckpointFolder(path(), 3).newest(
        [&](const std::string& message) { messages_.push_back(message); });
    return entry ? entry->step : -1;
  }

  [[nodiscard]] std::string latest() const { return read_file(path() / "latest"); }

  TemporaryFolder folder_;
  std::vector<std::string> messages_;
};

TEST_F(Checkpoints, SetAsideDoNotPushOutTheGoodOne) {
  write(10);
  flip_bit_at(write(12), bytes_of(marker));
  ASSERT_EQ(newest(), 10);
  CheckpointFolder(path(), 2).set_aside_after(10);
  EXPECT_THAT(steps(), ElementsAre(10));
  EXPECT_TRUE(std::filesystem::exists(path() / "step_000012.h5.damaged"));
  write(13, 2);
  EXPECT_THAT(steps(), ElementsAre(13, 10));
}

TEST_F(Checkpoints, AreNamedByStep) {
  EXPECT_EQ(checkpoint_name(120), "step_000120.h5");
  EXPECT_EQ(checkpoint_name(1'234'567), "step_1234567.h5");
}

TEST_F(Checkpoints, OfAnEmptyFolderAreNone) {
  EXPECT_EQ(newest(), -1);
  EXPECT_THAT(steps(), IsEmpty());
}

TEST_F(Checkpoints, KeepsTheLastFewAndNamesTheLatest) {
  for (const std::int64_t step : {10, 20, 30, 40}) {
    write(step, 2);
    EXPECT_EQ(latest(), checkpoint_name(step) + "\n");
  }
  EXPECT_THAT(steps(), ElementsAre(40, 30));
  EXPECT_EQ(newest(), 40);
}

TEST_F(Checkpoints, CanBeWrittenWithoutRemovingOlderOnes) {
  write(10, 1);
  write_to(
      CheckpointFolder(path(), 1), 11, [](StateWriter& writer) { writer.text("state", "{}"); },
      OldCheckpoints::keep);
  EXPECT_THAT(steps(), ElementsAre(11, 10));
  EXPECT_EQ(latest(), checkpoint_name(11) + "\n");
  write(12, 1);
  EXPECT_THAT(steps(), ElementsAre(12));
}

TEST_F(Checkpoints, AreOrderedByNumber) {
  write(999'999);
  write(1'000'000);
  EXPECT_EQ(newest(), 1'000'000);
}

TEST_F(Checkpoints, LeavesOtherFilesAlone) {
  write(1);
  overwrite(path() / "step_x.h5", "");
  overwrite(path() / "step_000002.h5.partial", "half");
  overwrite(path() / "notes.txt", "");
  EXPECT_EQ(newest(), 1);
  write(2, 1);
  EXPECT_THAT(steps(), ElementsAre(2));
  EXPECT_TRUE(std::filesystem::exists(path() / "notes.txt"));
  EXPECT_TRUE(std::filesystem::exists(path() / "step_x.h5"));
  EXPECT_FALSE(std::filesystem::exists(path() / "step_000002.h5.partial"));
}

TEST_F(Checkpoints, PassesOverADamagedNewestAndNamesIt) {
  write(10);
  flip_bit_at(write(20), bytes_of(marker));
  EXPECT_EQ(newest(), 10);
  EXPECT_THAT(messages_, ElementsAre(AllOf(HasSubstr("step_000020.h5"),
                                           HasSubstr("dataset model/weights/head/weight"),
                                           HasSubstr("step_000010.h5"))));
}

TEST_F(Checkpoints, PassesOverATruncatedNewest) {
  write(10);
  const auto path = write(20);
  overwrite(path, read_file(path).substr(0, 500));
  EXPECT_EQ(newest(), 10);
  EXPECT_THAT(messages_, ElementsAre(AllOf(HasSubstr("step_000020.h5"), HasSubstr("truncated"))));
}

TEST_F(Checkpoints, ThatAreAllDamagedAreAnError) {
  for (const std::int64_t step : {10, 20}) {
    flip_bit_at(write(step), bytes_of(marker));
  }
  EXPECT_THAT(message_of<Error>([&] { newest(); }), HasSubstr("all checkpoints"));
  EXPECT_EQ(messages_.size(), 2U);
}

TEST_F(Checkpoints, TickAfterEachDatasetWrittenOrVerified) {
  int ticks = 0;
  const CheckpointFolder folder(path(), 1, [&] { ++ticks; });
  write_to(folder, 10, [](StateWriter& writer) {
    writer.text("state", "{}");
    writer.text("deck", "");
  });
  EXPECT_EQ(ticks, 2);
  EXPECT_TRUE(folder.newest([](const std::string& damage) { ADD_FAILURE() << damage; }));
  EXPECT_EQ(ticks, 4);
}

TEST_F(Checkpoints, ThatFailedLeaveTheOldOnes) {
  write(10, 1);
  const CheckpointFolder folder(path(), 1);
  const auto fail_half_way = [&] {
    write_to(folder, 20, [](StateWriter& writer) {
      writer.text("state", "{}");
      fail("stopped half way");
    });
  };
  EXPECT_THAT(message_of<Error>(fail_half_way), HasSubstr("half way"));
  EXPECT_EQ(newest(), 10);
  EXPECT_EQ(latest(), "step_000010.h5\n");
  EXPECT_FALSE(std::filesystem::exists(path() / "step_000020.h5.partial"));
}

TEST_F(Checkpoints, AreKeptAtLeastOne) { EXPECT_THROW(CheckpointFolder(path(), 0), UsageError); }

TEST_F(Checkpoints, AFileInPlaceOfTheFolderIsAnError) {
  overwrite(path(), "");
  EXPECT_THAT(message_of<Error>([&] { newest(); }), HasSubstr("is a file"));
  EXPECT_THAT(message_of<Error>([&] { write(1); }), HasSubstr("checkpoints"));
}

}  // namespace
}  // namespace precis
