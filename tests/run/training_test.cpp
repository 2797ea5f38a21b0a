// Runs of `sft` and `reward`, cut, continued and spread over ranks; `sample` and `score`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <fstream>
#include <regex>

#include "io/file_damage.hpp"
#include "run/training_run.hpp"

namespace precis::test {
namespace {

using testing::HasSubstr;

const TrainingFixture& f() { return training_fixture(); }

constexpr int stopped_early = 75;

/// Starts a run, sends it a signal in the middle, and continues it.
void cut_and_continue(const Words& words, const Path& folder, int signal, int status) {
  {
    Job job(words, folder.string() + ".output");
    if (!wait_for_lines(job, folder / "metrics.jsonl", 5)) {
      return;
    }
    job.signal_rank(0, signal);
    const Outcome outcome = job.wait();
    EXPECT_EQ(outcome.status, status) << outcome.output;
  }
  succeed(words);
}

TEST(Sft, CutBySignalsAndContinuedEqualsAnUncutRun) {
  const Words keys{"--train.steps", "60", "--checkpoint.every_steps", "4"};
  succeed(f().sft("uncut", keys));
  cut_and_continue(f().sft("terminated", keys), f() / "terminated", SIGTERM, stopped_early);
  expect_same_training(f() / "uncut", f() / "terminated", 60);
  cut_and_continue(f().sft("killed", keys), f() / "killed", SIGKILL, 128 + SIGKILL);
  expect_same_training(f() / "uncut", f() / "killed", 60);
}

TEST(Sft, StopsAfterSoManyStepsAndGoesOnWithTheSameSchedule) {
  const Outcome whole = succeed(f().sft("whole"));
  EXPECT_THAT(whole.output, HasSubstr("Peak host memory of tensors: "));
  EXPECT_THAT(whole.output, HasSubstr(" (parameters "));
  const Outcome first = run(f().sft("parts", {"--train.stop_after", "5"}));
  EXPECT_EQ(first.status, stopped_early) << first.output;
  EXPECT_FALSE(std::filesystem::exists(f() / "parts/model.h5"));
  EXPECT_EQ(run(f().sft("parts", {"--train.stop_after", "5"})).status, stopped_early);
  succeed(f().sft("parts"));
  expect_same_training(f() / "whole", f() / "parts", 12);
  const Outcome again = succeed(f().sft("parts"));
  EXPECT_THAT(again.output, HasSubstr("is complete"));
}

TEST(Sft, FewerStepsThanAreDoneTrainNothing) {
  succeed(f().sft("done", {"--train.steps", "2"}));
  const Outcome outcome = succeed(f().sft("done", {"--train.steps", "1"}));
  EXPECT_THAT(outcome.output,
              HasSubstr("2 steps are done, more than the 1 asked for: nothing is trained."));
}

TEST(Sft, AChangedKeyOfAContinuedRunIsNamed) {
  EXPECT_EQ(run(f().sft("changed", {"--train.stop_after", "2"})).status, stopped_early);
  const Outcome outcome = run(f().sft("changed", {"--train.batch", "8"}));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output, HasSubstr("train.batch"));
}

TEST(Sft, GoesOnWithoutItsStartFilesAndKnowsItsRowsAgain) {
  succeed(f().sft("start_whole"));
  std::filesystem::copy_file(f() / "tokenizer.json", f() / "gone.json");
  std::filesystem::copy_file(f() / "data/train.jsonl", f() / "mine.jsonl");
  const Words keys{"--tokenizer", f() / "gone.json", "--data.train", f() / "mine.jsonl"};
  Words first = keys;
  first.insert(first.end(), {"--train.stop_after", "2"});
  EXPECT_EQ(run(f().sft("start_gone", first)).status, stopped_early);
  std::filesystem::remove(f() / "gone.json");
  const std::string rows = text_of(f() / "mine.jsonl");
  overwrite(f() / "mine.jsonl", rows.substr(rows.find('\n') + 1));
  const Outcome refused = run(f().sft("start_gone", keys));
  EXPECT_EQ(refused.status, 2) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("something else: data.train"));
  overwrite(f() / "mine.jsonl", rows);
  const Outcome gone = succeed(f().sft("start_gone", {"--tokenizer", f() / "gone.json"}));
  EXPECT_THAT(gone.output, HasSubstr("gone.json is not there; the run goes on"));
  expect_same_training(f() / "start_whole", f() / "start_gone", 12);
  // Complete: the rows are not read.
  const Outcome again = succeed(f().sft("start_gone", {"--data.train", f() / "absent.jsonl"}));
  EXPECT_THAT(again.output, HasSubstr("is complete"));
}

TEST(Sft, ALossThatExplodesStopsTheRunBeforeTheUpdate) {
  const Words keys{"--train.learning_rate", "1e3", "--train.steps", "40", "--train.clip_norm", "0"};
  for (int launch = 0; launch < 2; ++launch) {
    const Outcome outcome = run(f().sft("explodes", keys));
    EXPECT_EQ(outcome.status, 1) << outcome.output;
    const int steps = lines_of(f() / "explodes/metrics.jsonl");
    ASSERT_GT(steps, 0);
    EXPECT_THAT(outcome.output, HasSubstr(fmt::format("Step {}: the ", steps + 1)));
    EXPECT_THAT(outcome.output, HasSubstr(fmt::format("step_{:06}.h5", steps)));
  }
}

TEST(Sft, AValidationLossThatIsNoNumberStopsTheRun) {
  const Outcome outcome = run(f().sft("invalid", {"--train.learning_rate", "1e30", "--train.steps",
                                                  "1", "--train.valid_every", "1"}));
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("Step 1: the validation loss is "));
  EXPECT_THAT(outcome.output, HasSubstr("no checkpoint yet"));
  EXPECT_FALSE(std::filesystem::exists(f() / "invalid/model.h5"));
  EXPECT_FALSE(std::filesystem::exists(f() / "invalid/checkpoints"));
}

TEST(Sft, TheBestOfARunThatEndsAtItsCheckpointIsThatCheckpoint) {
  for (const std::string keep : {"best", "last"}) {
    const Words keys{"--train.keep",     keep,      "--train.valid_every", "0",
                     "--train.schedule", "constant"};
    Words first = keys;
    first.insert(first.end(), {"--train.stop_after", "4"});
    EXPECT_EQ(run(f().sft("ends_" + keep, first)).status, stopped_early);
    Words rest = keys;
    rest.insert(rest.end(), {"--train.steps", "4"});
    succeed(f().sft("ends_" + keep, rest));
  }
  const Outcome diff = run({PRECIS_PROGRAM, "inspect", f() / "ends_last/model.h5", "--diff",
                            f() / "ends_best/model.h5"});
  EXPECT_EQ(diff.status, 0) << diff.output;
}

TEST(Sft, ADamagedNewestCheckpointIsNamedAndTheOneBeforeIsUsed) {
  succeed(f().sft("sound"));
  const Words keys{"--checkpoint.every_steps", "3", "--train.stop_after", "9"};
  EXPECT_EQ(run(f().sft("damaged", keys)).status, stopped_early);
  const Path newest = f() / "damaged/checkpoints/step_000009.h5";
  std::string content = text_of(newest);
  content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 1);
  overwrite(newest, content);
  const Outcome outcome = succeed(f().sft("damaged", {"--checkpoint.every_steps", "3"}));
  EXPECT_THAT(outcome.output, HasSubstr("step_000009.h5"));
  EXPECT_THAT(outcome.output, HasSubstr("step_000006.h5"));
  expect_same_training(f() / "sound", f() / "damaged", 12);
}

TEST(Sft, TheEffectiveDeckCanBeRun) {
  succeed(f().sft("first"));
  succeed(
      f().command({"sft", f() / "first/deck.cfg", "--run", f() / "from_deck", "--threads", "1"}));
  expect_same_training(f() / "first", f() / "from_deck", 12);
  const Words keys{"--tokenizer",     "", "--model",          f() / "policy/model.h5",
                   "--model.layers",  "", "--model.width",    "",
                   "--model.heads",   "", "--model.init",     "",
                   "--model.context", "", "--model.position", "",
                   "--train.steps",   "2"};
  succeed(f().sft("further", keys));
  succeed(f().command(
      {"sft", f() / "further/deck.cfg", "--run", f() / "further_from_deck", "--threads", "1"}));
  expect_same_training(f() / "further", f() / "further_from_deck", 2);
}

TEST(Sft, LossesDoNotDependOnRanksOrMicroBatches) {
  const Words keys{"--train.steps", "3", "--train.valid_every", "1", "--sft.loss", "all"};
  succeed(f().sft("one_rank", keys));
  Words small = keys;
  small.insert(small.end(), {"--train.micro_batch_tokens", "200"});
  succeed(f().sft("small", small));
  expect_close_metrics(f() / "one_rank", f() / "small", 1e-5);
  succeed(f().sft("two_ranks", keys, 2));
  expect_close_metrics(f() / "one_rank", f() / "two_ranks", 1e-5);
  succeed(f().sft("four_ranks", small, 4));
  expect_close_metrics(f() / "one_rank", f() / "four_ranks", 1e-5);
}

TEST(Sft, PostsWithoutRoomForASummaryShortenNoOthers) {
  // The same post ever shorter: the first that fit leave room for "Yes." only.
  auto row = read_rows(f() / "data/valid.jsonl").at(0);
  const std::string post = row.at("post");
  row["summary"] = "Yes.";
  std::ofstream rows(f() / "long_first.jsonl");
  for (int words = 200; words >= 0; --words) {
    std::string longer = post;
    for (int i = 0; i < words; ++i) {
      longer += " and";
    }
    row["post"] = longer;
    row["id"] = std::to_string(words);
    rows << row.dump() << "\n";
  }
  rows.close();
  const Outcome outcome =
      succeed(f().sft("roomy", {"--data.valid", f() / "long_first.jsonl", "--train.steps", "1"}));
  std::smatch kept;
  ASSERT_TRUE(std::regex_search(outcome.output, kept, std::regex("201 rows read, ([0-9]+) kept")));
  const Rows samples = read_rows(f() / "roomy/samples.jsonl");
  ASSERT_EQ(samples.size(), 4U);
  const int first_shown = std::stoi(samples[0].at("id").get<std::string>());
  EXPECT_LT(first_shown, std::stoi(kept[1]) - 10);
}

TEST(Sft, DryRunCreatesNothing) {
  const Outcome outcome = succeed(f().sft("dry", {"--dry_run", "true"}));
  EXPECT_THAT(outcome.output, HasSubstr("memory"));
  EXPECT_THAT(outcome.output, HasSubstr("12 of 16 rows"));
  EXPECT_FALSE(std::filesystem::exists(f() / "dry"));
}

TEST(Sft, HoldsThePlannedMemory) {
  expect_planned_memory(f().sft("planned", {"--train.keep", "best"}), f() / "planned");
  expect_planned_memory(f().sft("planned_by_two", {"--train.keep", "best"}, 2),
                        f() / "planned_by_two");
}

TEST(Reward, HoldsThePlannedMemory) {
  expect_planned_memory(f().reward("planned_reward"), f() / "planned_reward");
}

TEST(Sft, ResaveWritesTheSameStateAgain) {
  EXPECT_EQ(run(f().sft("resaved", {"--train.stop_after", "3"})).status, stopped_early);
  const Path file = f() / "resaved/checkpoints/step_000003.h5";
  std::filesystem::copy_file(file, f() / "before.h5");
  succeed(f().sft("resaved", {"--checkpoint.resave", "true"}));
  const Outcome diff = run({PRECIS_PROGRAM, "inspect", f() / "before.h5", "--diff", file});
  EXPECT_EQ(diff.status, 0) << diff.output;
  EXPECT_EQ(lines_of(f() / "resaved/metrics.jsonl"), 3);
}

TEST(Sft, ResaveSetsADamagedLaterCheckpointAside) {
  const Words keys{"--checkpoint.every_steps", "3", "--checkpoint.keep", "2"};
  Words first = keys;
  first.insert(first.end(), {"--train.stop_after", "9"});
  EXPECT_EQ(run(f().sft("aside", first)).status, stopped_early);
  const Path newest = f() / "aside/checkpoints/step_000009.h5";
  overwrite(newest, text_of(newest).substr(0, 1000));
  Words again = keys;
  again.insert(again.end(), {"--checkpoint.resave", "true"});
  succeed(f().sft("aside", again));
  EXPECT_TRUE(std::filesystem::exists(f() / "aside/checkpoints/step_000006.h5"));
  EXPECT_TRUE(std::filesystem::exists(newest.string() + ".damaged"));
}

TEST(Reward, CutAndContinuedEqualsAnUncutRun) {
  const Words keys{"--train.steps", "40", "--checkpoint.every_steps", "4"};
  succeed(f().reward("reward_uncut", keys));
  cut_and_continue(f().reward("reward_cut", keys), f() / "reward_cut", SIGTERM, stopped_early);
  expect_same_training(f() / "reward_uncut", f() / "reward_cut", 40);
  cut_and_continue(f().reward("reward_killed", keys), f() / "reward_killed", SIGKILL,
                   128 + SIGKILL);
  expect_same_training(f() / "reward_uncut", f() / "reward_killed", 40);
}

TEST(Reward, GoesOnWithoutItsStartModel) {
  succeed(f().reward("reward_whole"));
  std::filesystem::copy_file(f() / "policy/model.h5", f() / "start.h5");
  const Words keys{"--model", f() / "start.h5"};
  const Words first{"--model", f() / "start.h5", "--train.stop_after", "4"};
  EXPECT_EQ(run(f().reward("reward_gone", first)).status, stopped_early);
  const Outcome refused = run(f().reward("reward_gone", {"--model", f() / "reward/model.h5"}));
  EXPECT_EQ(refused.status, 2) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("something else: model"));
  std::filesystem::remove(f() / "start.h5");
  EXPECT_THAT(succeed(f().reward("reward_gone", keys)).output,
              HasSubstr("start.h5 is not there; the run goes on"));
  expect_same_training(f() / "reward_whole", f() / "reward_gone", 12);
}

TEST(Reward, LossesDoNotDependOnRanksOrMicroBatches) {
  const Words keys{"--train.steps", "3", "--train.valid_every", "1"};
  succeed(f().reward("reward_one", keys));
  succeed(f().reward("reward_two", keys, 2));
  expect_close_metrics(f() / "reward_one", f() / "reward_two", 1e-5);
  Words small = keys;
  small.insert(small.end(), {"--train.micro_batch_tokens", "300"});
  succeed(f().reward("reward_four", small, 4));
  expect_close_metrics(f() / "reward_one", f() / "reward_four", 1e-5);
}

TEST(Reward, TheMeanRewardOfTheReferencesIsZero) {
  std::ofstream rows(f() / "references.jsonl");
  std::vector<std::string> seen;
  for (const auto& row : read_rows(f() / "comparisons.jsonl")) {
    const auto& info = row["info"];
    for (const auto& summary : row["summaries"]) {
      const std::string key = info["post"].get<std::string>() + summary["text"].get<std::string>();
      if (row["split"] == "valid1" && summary["policy"] == "ref" &&
          std::find(seen.begin(), seen.end(), key) == seen.end()) {
        seen.push_back(key);
        const auto text = "SUBREDDIT: r/" + info["subreddit"].get<std::string>() +
                          "\n\nTITLE: " + info["title"].get<std::string>() +
                          "\n\nPOST: " + info["post"].get<std::string>() + "\n\nTL;DR:";
        // Query and response are joined as given, which here are the same tokens.
        rows << nlohmann::json{{"prompt", text}, {"response", summary["text"]}}.dump() << "\n";
      }
    }
  }
  rows.close();
  ASSERT_FALSE(seen.empty());
  succeed(f().command({"score", "--model", f() / "reward/model.h5", "--input",
                       f() / "references.jsonl", "--output", f() / "references.scores.jsonl"}));
  double sum = 0;
  for (const auto& row : read_rows(f() / "references.scores.jsonl")) {
    sum += row.at("reward").get<double>();
  }
  EXPECT_LT(std::abs(sum / static_cast<double>(seen.size())), 1e-5);
}

TEST(Reward, EvaluationReportsAgreement) {
  succeed(f().command({"evaluate", "reward", "--model", f() / "reward/model.h5", "--input",
                       f() / "comparisons.jsonl", "--json", f() / "agreement.json"},
                      2));
  const auto report = nlohmann::json::parse(text_of(f() / "agreement.json"));
  EXPECT_EQ(report["pairs"], lines_of(f() / "comparisons.jsonl"));
  EXPECT_GT(report["gold_pairs"], 0);
  EXPECT_TRUE(report["by_policies"].contains("ref-sft"));
}

TEST(Reward, ComparisonsOfEqualSummariesAreWarnedOf) {
  std::ofstream equal(f() / "equal.jsonl");
  auto rows = read_rows(f() / "comparisons.jsonl");
  rows.resize(20);
  for (auto& row : rows) {
    row["summaries"][1]["text"] = row["summaries"][0]["text"];
    equal << row.dump() << "\n";
  }
  equal.close();
  const auto warning = HasSubstr("each of the 20 pairs has two equal summaries");
  EXPECT_THAT(succeed(f().command({"evaluate", "reward", "--model", f() / "reward/model.h5",
                                   "--input", f() / "equal.jsonl", "--json", f() / "equal.json"}))
                  .output,
              testing::AllOf(warning, HasSubstr("20 pairs have equal rewards")));
  const auto report = nlohmann::json::parse(text_of(f() / "equal.json"));
  EXPECT_EQ(report["accuracy"], 0.5);
  EXPECT_EQ(report["ties"], 20);
  // Of these, 16 are for training.
  EXPECT_THAT(
      succeed(f().reward("equal", {"--data.train", f() / "equal.jsonl", "--dry_run", "true"}))
          .output,
      HasSubstr("each of the 16 pairs has two equal summaries"));
}

TEST(Reward, EvaluationFindsANameThatCannotBeWrittenBeforeItScores) {
  const Outcome outcome =
      run(f().command({"evaluate", "reward", "--model", f() / "reward/model.h5", "--input",
                       f() / "comparisons.jsonl", "--output", f() / "early.jsonl", "--json",
                       f() / "nowhere/table.json"}));
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("nowhere"));
  EXPECT_FALSE(std::filesystem::exists(f() / "early.jsonl"));
}

Words sample(const std::string& output, const Words& more, int ranks = 1) {
  Words words{
      "sample",   "--model",    f() / "policy/model.h5",  "--input", f() / "data/test.jsonl",
      "--output", f() / output, "--sampling.temperature", "1",       "--sampling.n",
      "3"};
  words.insert(words.end(), more.begin(), more.end());
  return f().command(words, ranks);
}

TEST(Sample, DoesNotDependOnRanksOrOnTheBatch) {
  succeed(sample("samples_1.jsonl", {}));
  const std::string text = text_of(f() / "samples_1.jsonl");
  EXPECT_EQ(lines_of(f() / "samples_1.jsonl"), 3 * lines_of(f() / "data/test.jsonl"));
  succeed(sample("samples_2.jsonl", {}, 2));
  EXPECT_EQ(text, text_of(f() / "samples_2.jsonl"));
  succeed(sample("samples_3.jsonl", {"--sampling.max_sequences", "5"}));
  EXPECT_EQ(text, text_of(f() / "samples_3.jsonl"));
  succeed(sample("samples_4.jsonl", {"--seed", "2"}));
  EXPECT_NE(text, text_of(f() / "samples_4.jsonl"));
}

TEST(Sample, ScoreFindsTheLogProbsThatSampleRecorded) {
  succeed(sample("drawn.jsonl", {}));
  for (const int ranks : {1, 2}) {
    succeed(f().command({"score", "--model", f() / "policy/model.h5", "--input",
                         f() / "drawn.jsonl", "--output", f() / "scored.jsonl"},
                        ranks));
    const Rows drawn = read_rows(f() / "drawn.jsonl");
    const Rows scored = read_rows(f() / "scored.jsonl");
    ASSERT_EQ(drawn.size(), scored.size());
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      EXPECT_EQ(drawn[i]["id"], scored[i]["id"]);
      EXPECT_EQ(drawn[i]["logprobs"], scored[i]["logprobs"]) << "row " << i;
    }
  }
}

TEST(Sample, EmptyInputGivesEmptyOutput) {
  overwrite(f() / "empty.jsonl", "");
  for (const std::string& command : {std::string("sample"), std::string("score")}) {
    const Path output = f() / (command + "_empty.jsonl");
    for (const int ranks : {1, 2}) {
      succeed(f().command({command, "--model", f() / "policy/model.h5", "--input",
                           f() / "empty.jsonl", "--output", output},
                          ranks));
      EXPECT_EQ(std::filesystem::file_size(output), 0U);
    }
  }
}

TEST(Sample, APromptIsContinuedOnStandardOutput) {
  const Outcome outcome =
      succeed(f().command({"sample", "--model", f() / "policy/model.h5", "--prompt", "My friend",
                           "--sampling.n", "2", "--log.level", "warning"}));
  EXPECT_GE(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 2);
}

}  // namespace
}  // namespace precis::test
