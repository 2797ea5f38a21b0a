#include "eval/judged_by_others.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/score_files.hpp"
#include "feedback/samples.hpp"
#include "support/expect_error.hpp"
#include "support/real_data.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string rows = R"({"id":"x","subreddit":"s","title":"t","post":"p","summary":"a b c"})"
                         "\n"
                         R"({"subreddit":"s","title":"t","post":"q","summary":"d"})"
                         "\n";

// Not in the order of the rows, as several ranks or a shuffled input may leave them.
const std::string samples = R"({"id":"1","index":1,"response":" y","finish":"eos"})"
                            "\n"
                            R"({"id":"x","index":0,"response":" u v","finish":"eos"})"
                            "\n"
                            R"({"id":"1","index":0,"response":" w","finish":"length"})"
                            "\n"
                            R"({"id":"x","index":1,"response":" z","finish":"eos"})"
                            "\n";

std::string rewards(const std::vector<std::pair<std::string, double>>& lines) {
  std::string text;
  for (const auto& [id, reward] : lines) {
    text += nlohmann::json{{"id", id}, {"reward", reward}}.dump() + "\n";
  }
  return text;
}

TEST(SampleRewards, ComeInTheLayoutOfTheSamples) {
  const TemporaryFolder folder;
  const std::string rows_file = folder.file("rows", rows);
  const std::string samples_file = folder.file("samples", samples);
  const auto ids = ids_of(read_summary_rows(rows_file, true));
  EXPECT_THAT(ids, ElementsAre("x", "1"));
  const auto found = read_sample_rewards(
      samples_file, folder.file("r", rewards({{"1", 4}, {"x", 1}, {"1", 3}, {"x", 2}})), ids);
  EXPECT_THAT(found, ElementsAre(ElementsAre(1, 2), ElementsAre(3, 4)));

  const auto refused = [&](const std::string& text) {
    return message_of<Error>(
        [&] { (void)read_sample_rewards(samples_file, folder.file("bad", text), ids); });
  };
  EXPECT_THAT(refused(rewards({{"1", 4}, {"1", 3}, {"x", 1}, {"x", 2}})),
              HasSubstr("samples:2 is of the row with id x"));
  EXPECT_THAT(refused(rewards({{"1", 4}})), HasSubstr("has 4 lines"));
  EXPECT_THAT(refused(R"({"id":"1","logprob":-1})"), HasSubstr("bad:1: the field reward"));
}

TEST(SummaryRows, MustHaveDifferentIds) {
  const TemporaryFolder folder;
  EXPECT_THAT(
      message_of<Error>([&] { (void)read_summary_rows(folder.file("twice", rows + rows), true); }),
      HasSubstr("twice:3: the id x is already that of line 1"));
  EXPECT_THROW((void)read_summary_rows(folder.file("none", ""), true), Error);
}

TEST(RewardWins, AreOfTheHigherReward) {
  const TemporaryFolder folder;
  const std::string rows_file = folder.file("rows", rows);
  const auto all = read_summary_rows(rows_file, true);
  const auto ids = ids_of(all);
  const RewardedSamples a{.samples = read_samples(folder.file("samples", samples), ids, rows_file),
                          .rewards = {{1, 2}, {3, 4}}};
  const RewardedSamples b = rewarded_references(all, {1, 3.5}, 2);
  const RewardWins wins = compare_rewards(all, a, b);
  EXPECT_EQ(wins.count.wins, 2);
  EXPECT_EQ(wins.count.ties, 1);
  EXPECT_EQ(wins.count.losses, 1);
  EXPECT_EQ(wins.reward_a.mean, 2.5);
  EXPECT_EQ(wins.reward_b.mean, 2.25);
  EXPECT_EQ(wins.words_a.mean, 1.25);
  EXPECT_EQ(wins.words_b.mean, 2);
  ASSERT_EQ(wins.pairs.size(), 4U);
  EXPECT_EQ(wins.pairs[2].a.response, " w");
  EXPECT_EQ(wins.pairs[2].reward_b, 3.5);
  EXPECT_THROW((void)compare_rewards(all, a, rewarded_references(all, {1, 1}, 1)), Error);
}

std::string comparison(const std::string& first, const std::string& second, int choice,
                       bool swapped = false) {
  nlohmann::json one = {{"text", " one two three"}, {"policy", first}};
  nlohmann::json other = {{"text", " four"}, {"policy", second}};
  if (swapped) {
    std::swap(one, other);
    choice = 1 - choice;
  }
  return nlohmann::json{{"info", {{"id", "i"}, {"subreddit", "s"}, {"title", "t"}, {"post", "p"}}},
                        {"summaries", {one, other}},
                        {"choice", choice}}
             .dump() +
         "\n";
}

TEST(Judgements, OfThePoliciesCountInEitherOrder) {
  const TemporaryFolder folder;
  const std::string file =
      folder.file("comparisons", comparison("ppo", "ref", 0) + comparison("ppo", "ref", 0, true) +
                                     comparison("ppo", "ref", 1) + comparison("ppo", "sft", 1));
  const auto [found, repeated] = read_judgements({file}, {"ppo", "ref"});
  ASSERT_EQ(found.size(), 3U);
  EXPECT_THAT((std::vector{found[0].pair.margin, found[1].pair.margin, found[2].pair.margin}),
              ElementsAre(1, 1, -1));
  for (const PolicyJudgement& one : found) {
    EXPECT_EQ(one.pair.words_a, 3);
    EXPECT_EQ(one.pair.words_b, 1);
    EXPECT_EQ(one.pair.post, found[0].pair.post);
  }
  EXPECT_EQ(repeated, 0);
  const auto reversed = read_judgements({file}, {"ref", "ppo"}).judgements;
  EXPECT_EQ(reversed[0].pair.margin, -1);
  EXPECT_EQ(reversed[0].pair.words_a, 1);
  EXPECT_THAT(message_of<Error>([&] {
                (void)read_judgements({file}, {"ref", "sft"});
              }),
              HasSubstr("found: ppo-ref (3), ppo-sft (1)"));
}

TEST(Judgements, ThatAreThereAgainCountOnce) {
  const auto of = [](const std::string& worker, int choice, bool swapped = false) {
    auto row = nlohmann::json::parse(comparison("ppo", "ref", choice, swapped));
    row["worker"] = worker;
    return row.dump() + "\n";
  };
  const TemporaryFolder folder;
  const std::string file =
      folder.file("c", of("ann", 0) + of("ann", 0, true) + of("ann", 1) + of("bob", 0) +
                           of("bob", 0) + comparison("ppo", "ref", 0) +
                           comparison("ppo", "ref", 0) + comparison("ppo", "ref", 0, true));
  const auto found = read_judgements({file}, {"ppo", "ref"});
  // ann's two choices, bob's one, and without a name what differs in any field.
  EXPECT_EQ(found.judgements.size(), 5U);
  EXPECT_EQ(found.repeated, 3);
}

// 640 of the 1,000 choices are for the model (the data's own description).
TEST(Judgements, OfARealFileAgreeWithItsDescription) {
  PRECIS_NEEDS_DATA("preferences/tldr_comparisons_gpt4_1000.jsonl")
  std::vector<PairOutcome> pairs;
  for (const auto& one : read_judgements({data_path}, {"sup4_ppo_rm4", "ref"}).judgements) {
    pairs.push_back(one.pair);
  }
  const WinCount count = count_wins(pairs, Weight::rows);
  EXPECT_EQ(count.wins, 640);
  EXPECT_EQ(count.losses, 360);
  ASSERT_TRUE(count.equal_length.rate);
}

TEST(Judgements, OfEqualTextsOfTwoPoliciesDoNotDependOnTheOrder) {
  const auto row = [](const char* first, const char* second) {
    return fmt::format(
        R"({{"info":{{"id":"1","subreddit":"s","title":"t","post":"p"}},)"
        R"("summaries":[{{"text":" x","policy":"{}"}},{{"text":" y","policy":"{}"}}],)"
        R"("choice":0,"worker":"ann"}})"
        "\n",
        first, second);
  };
  const TemporaryFolder folder;
  const std::string one = row("sft", "ppo");
  const std::string other = row("ppo", "sft");
  for (const std::string& text : {one + other, other + one}) {
    const auto found = read_judgements({folder.file("judged", text)}, {"ppo", "sft"});
    EXPECT_EQ(found.repeated, 0);
    ASSERT_EQ(found.judgements.size(), 2U);
    EXPECT_EQ(found.judgements[0].pair.margin + found.judgements[1].pair.margin, 0);
  }
}

}  // namespace
}  // namespace precis
