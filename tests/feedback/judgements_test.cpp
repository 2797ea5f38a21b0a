#include "feedback/judgements.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "feedback/made_pairs.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::json;

/// Pages of five pairs, and what their labelers download.
class Judgements : public testing::Test {
 protected:
  Judgements() : list_(read_pair_list(folder_.file("pairs.jsonl", to_lines(made_pairs(5))))) {}

  /// A line of a page that has all pairs, not yet judged.
  [[nodiscard]] Json line(std::size_t pair, const std::string& worker = "ann") const {
    return {{"format", "precis answer 2"},
            {"page", "00112233aabbccdd"},
            {"pairs", list_.digest},
            {"first", 1},
            {"count", 5},
            {"pair", list_.pairs.at(pair).id},
            {"left", 0},
            {"worker", worker},
            {"downloaded", "2026-11-29T20:01:02.345Z"},
            {"complete", false},
            {"scale", nullptr},
            {"lean", nullptr},
            {"cannot_judge", nullptr},
            {"axes", nullptr},
            {"note", ""},
            {"seconds", 2.5}};
  }

  [[nodiscard]] Json judged(std::size_t pair, int scale, const std::string& worker = "ann") const {
    Json row = line(pair, worker);
    row["complete"] = true;
    row["scale"] = scale;
    return row;
  }

  Answers read(const std::vector<Json>& rows) {
    return read_answers({folder_.file("answers.jsonl", to_lines(rows))}, list_);
  }

  /// The message about a line after a good one.
  std::string error_of(const Json& row) {
    return message_of<Error>([&] { (void)read({judged(4, 1), row}); });
  }

  /// The message about a line of which one field is another.
  std::string error_with(const char* field, const Json& value) {
    Json row = judged(0, 3);
    row[field] = value;
    return error_of(row);
  }

  TemporaryFolder folder_;
  PairList list_;
};

TEST_F(Judgements, AreTurnedToTheOrderOfTheRow) {
  for (int scale = 1; scale <= 9; ++scale) {
    for (const int left : {0, 1}) {
      for (const std::string lean : {"left", "right"}) {
        Json row = judged(2, scale);
        row["left"] = left;
        row["lean"] = scale == 5 ? Json(lean) : Json();
        const Answer answer = read({row}).answers.at(0);
        // Which summary is on the screen's better side.
        const bool right_is_better = scale > 5 || (scale == 5 && lean == "right");
        EXPECT_EQ(answer.choice, right_is_better ? 1 - left : left);
        // Surely the row's first is 1, whichever side it was on.
        const int distance = std::abs(scale - 5);
        EXPECT_EQ(answer.confidence, answer.choice == 1 ? 5 + distance : 5 - distance);
        EXPECT_EQ(answer.place, 2U);
      }
    }
  }
}

TEST_F(Judgements, BecomeTheRowsOfThePairs) {
  Json row = judged(1, 8);
  row["left"] = 1;
  row["note"] = "q1";
  const auto comparison = comparison_json(list_.pairs[1], read({row}).answers.at(0));
  Json expected = made_pair(1);
  expected["choice"] = 0;
  expected["worker"] = "ann";
  expected["extra"] = {{"confidence", 2}, {"note", "q1"}, {"seconds", 2.5}};
  EXPECT_EQ(Json(comparison), expected);
  // The order of keys is that of OpenAI's files.
  std::vector<std::string> keys;
  for (const auto& [key, value] : comparison.items()) {
    keys.push_back(key);
  }
  EXPECT_THAT(keys,
              ElementsAre("info", "summaries", "choice", "worker", "batch", "split", "extra"));
  // It can be read as a comparison.
  const Comparison read_back =
      parse_comparison({.value = Json(comparison), .file = "f", .line = 1});
  EXPECT_EQ(read_back.choice, 0);
  EXPECT_EQ(read_back.confidence, 2);
}

TEST_F(Judgements, AnEarlierJudgementOfTheRowIsReplacedAndTheRestStays) {
  Json row = made_pair(0);
  row["choice"] = 0;
  row["worker"] = "before";
  row["extra"] = {{"confidence", 1}, {"note", "old"}, {"seconds", 99}, {"place", "lab"}};
  row["more"] = "kept";
  const PairList list = read_pair_list(folder_.file("judged.jsonl", to_lines({row})));
  Answer answer;
  answer.worker = "ann";
  answer.choice = 1;
  answer.confidence = 9;
  const Json comparison = comparison_json(list.pairs[0], answer);
  EXPECT_EQ(comparison["choice"], 1);
  EXPECT_EQ(comparison["worker"], "ann");
  EXPECT_EQ(comparison["extra"], Json({{"confidence", 9}, {"seconds", 0.0}, {"place", "lab"}}));
  EXPECT_EQ(comparison["more"], "kept");
}

TEST_F(Judgements, RatingsFollowTheirSummary) {
  Json row = judged(0, 3);
  row["left"] = 1;
  const Json shown_left = {{"overall", 1}, {"accuracy", 2}, {"coverage", 3}, {"coherence", 4}};
  const Json shown_right = {{"overall", 7}, {"accuracy", 6}, {"coverage", 5}, {"coherence", 4}};
  row["axes"] = {{"left", shown_left}, {"right", shown_right}};
  const Answer answer = read({row}).answers.at(0);
  Json first = made_pair(0);
  const auto rated = [&](std::size_t k, const Json& axes) {
    Json summary = first["summaries"][k];
    summary["axes"] = axes;
    return Json{{"info", first["info"]},
                {"split", "train"},
                {"summary", summary},
                {"worker", "ann"},
                {"batch", "batch3"}};
  };
  EXPECT_EQ(Json(axis_json(list_.pairs[0], answer, 0)), rated(0, shown_right));
  EXPECT_EQ(Json(axis_json(list_.pairs[0], answer, 1)), rated(1, shown_left));
}

TEST_F(Judgements, OfSeveralLabelersAreInTheOrderOfPairsThenFiles) {
  const std::string bob =
      folder_.file("bob.jsonl", to_lines({judged(3, 1, "bob"), judged(0, 2, "bob")}));
  const std::string ann =
      folder_.file("ann.jsonl", to_lines({judged(0, 9), judged(1, 8), judged(3, 7)}));
  const Answers answers = read_answers({bob, ann}, list_);
  std::vector<std::string> order;
  for (const Answer& answer : answers.answers) {
    order.push_back(fmt::format("{} {}", answer.place, answer.worker));
  }
  EXPECT_THAT(order, ElementsAre("0 bob", "0 ann", "1 ann", "3 bob", "3 ann"));
  ASSERT_EQ(answers.labelers.size(), 2U);
  EXPECT_EQ(answers.labelers[0].worker, "bob");
  EXPECT_EQ(answers.labelers[0].answered, 2);
  EXPECT_THAT(answers.labelers[0].missing, ElementsAre(1, 2, 4));
  EXPECT_THAT(answers.labelers[1].missing, ElementsAre(2, 4));
}

TEST_F(Judgements, MissingAreThoseOfTheLabelersPagesWhetherMarkedOrCutOut) {
  Json second = judged(1, 2);
  Json third = line(2);
  for (Json* row : {&second, &third}) {
    (*row)["first"] = 2;
    (*row)["count"] = 3;  // pairs 1 to 3, of which 3 is not in the file
  }
  second["seconds"] = 4;
  const Answers answers = read({second, third});
  EXPECT_THAT(answers.labelers.at(0).missing, ElementsAre(2, 3));
  EXPECT_EQ(answers.labelers.at(0).median_seconds, 4);
  // An answer that came later is not missing.
  Json late = judged(2, 9);
  EXPECT_THAT(read({second, third, late}).labelers.at(0).missing, ElementsAre(0, 3, 4));
}

TEST_F(Judgements, OfAPageDownloadedAgainTheLaterAnswerCounts) {
  const auto at = [](Json row, const char* minute) {
    row["downloaded"] = fmt::format("2026-11-29T20:{}:00.000Z", minute);
    return row;
  };
  Json seen_again = at(judged(0, 3), "30");
  seen_again["seconds"] = 9;
  // Pair 0 came three times alike; pair 1 was thought over twice, the last time back to the first.
  std::vector<Json> rows = {at(judged(0, 3), "10"), at(judged(0, 3), "20"), seen_again,
                            at(judged(1, 2), "10"), at(judged(1, 8), "20"), at(judged(1, 2), "30"),
                            at(line(2), "10"),      at(judged(2, 7), "20"), at(line(2), "30")};
  for (std::size_t turn = 0; turn < rows.size(); ++turn) {
    std::rotate(rows.begin(), rows.begin() + 1, rows.end());
    const Answers answers = read(rows);
    ASSERT_EQ(answers.answers.size(), 3U);
    EXPECT_EQ(answers.answers[0].seconds, 9);
    EXPECT_EQ(answers.answers[1].confidence, 2);
    EXPECT_EQ(answers.answers[2].confidence, 7) << "a line that is not complete says nothing";
    EXPECT_EQ(answers.labelers.at(0).answered, 3);
    EXPECT_EQ(answers.labelers.at(0).repeated, 3);
    EXPECT_EQ(answers.labelers.at(0).replaced, 1);
    EXPECT_THAT(answers.labelers.at(0).missing, ElementsAre(3, 4));
  }
  // Of two labelers there may be two.
  EXPECT_EQ(read({judged(4, 9), judged(4, 9, "bob"), line(4)}).answers.size(), 2U);
}

/// The line as a page of the former version writes it.
Json of_former_page(Json row) {
  row["format"] = "precis answer 1";
  row.erase("downloaded");
  row.erase("cannot_judge");
  return row;
}

TEST_F(Judgements, OfFormerPagesAreReadAndAreEarlierThanAnyWithATime) {
  const Json former = of_former_page(judged(4, 9));
  EXPECT_EQ(read({former, former}).labelers.at(0).repeated, 1);
  const Answers answers = read({judged(4, 2), former});
  EXPECT_EQ(answers.answers.at(0).confidence, 2);
  EXPECT_EQ(answers.labelers.at(0).replaced, 1);
}

TEST_F(Judgements, DifferentAnswersOfWhichNeitherIsLaterAreNamed) {
  EXPECT_THAT(error_of(judged(4, 9)),
              AllOf(HasSubstr("answers.jsonl:2: ann has answered this pair otherwise at "),
                    HasSubstr("answers.jsonl:1, and both were downloaded at 2026-11-29T20:01")));
  EXPECT_THAT(message_of<Error>([&] {
                (void)read({of_former_page(judged(4, 1)), of_former_page(judged(4, 9))});
              }),
              HasSubstr("neither line has a time (pages of an earlier version write none)"));
}

TEST_F(Judgements, WhatCannotBeJudgedIsKeptApart) {
  Json unable = judged(0, 3);
  unable["scale"] = nullptr;
  unable["cannot_judge"] = "other";
  unable["note"] = "The post is cut off.";
  const Answers answers = read({unable, judged(1, 4)});
  ASSERT_EQ(answers.answers.size(), 1U);
  ASSERT_EQ(answers.unjudged.size(), 1U);
  EXPECT_EQ(answers.labelers.at(0).answered, 1);
  EXPECT_EQ(answers.labelers.at(0).unable, 1);
  EXPECT_THAT(answers.labelers.at(0).missing, ElementsAre(2, 3, 4));
  Json expected = made_pair(0);
  expected["cannot_judge"] = "other";
  expected["worker"] = "ann";
  expected["extra"] = {{"note", "The post is cut off."}, {"seconds", 2.5}};
  EXPECT_EQ(Json(unjudged_json(list_.pairs[0], answers.unjudged[0])), expected);
  // An earlier judgement of the row itself does not stand in it either.
  ListedPair judged_before = list_.pairs[0];
  judged_before.row["choice"] = 1;
  judged_before.row["extra"] = {{"confidence", 9}};
  EXPECT_EQ(Json(unjudged_json(judged_before, answers.unjudged[0])), expected);

  EXPECT_EQ(read({unable}).answers.size(), 0U);
  EXPECT_THAT(error_with("cannot_judge", "tired"),
              HasSubstr("`cannot_judge` is \"tired\"; expected null or one of unclear, knowledge"));
  EXPECT_THAT(error_with("downloaded", "today"),
              HasSubstr("`downloaded` is \"today\"; expected a time like 2026-"));
}

TEST_F(Judgements, AnotherFileIsNamed) {
  EXPECT_THAT(error_of(made_pair(0)), AllOf(HasSubstr("answers.jsonl:2: this is a comparison"),
                                            HasSubstr("`precis label export`")));
  EXPECT_THAT(error_of({{"text", "a"}}),
              HasSubstr("answers.jsonl:2: the field `format` is missing"));
  EXPECT_THAT(error_with("format", "precis answer 3"),
              HasSubstr("`format` is \"precis answer 3\"; expected \"precis answer 2\""));
  EXPECT_THAT(error_with("format", 1), HasSubstr("`format` is number"));
  EXPECT_THAT(error_with("pairs", "0123456789abcdef"),
              AllOf(HasSubstr("of a page that was made from other pairs than those of"),
                    HasSubstr("0123456789abcdef and " + list_.digest)));
  EXPECT_THAT(error_with("pair", "0123456789abcdef"),
              HasSubstr("the pair \"0123456789abcdef\" is not one of "));
}

TEST_F(Judgements, ValuesOutOfRangeAreNamed) {
  for (const Json& scale : {Json(0), Json(10), Json(2.5), Json("3"), Json()}) {
    EXPECT_THAT(error_with("scale", scale), HasSubstr("answers.jsonl:2: the field `scale` is "));
  }
  EXPECT_THAT(error_with("scale", 5), HasSubstr("`lean` is null and `scale` is 5"));
  EXPECT_THAT(error_with("lean", "left"), HasSubstr("`lean` is \"left\" and `scale` is 3"));
  EXPECT_THAT(error_with("left", 2), HasSubstr("`left` is 2; expected a whole number from 0 to 1"));
  EXPECT_THAT(error_with("worker", ""), HasSubstr("`worker` is empty"));
  EXPECT_THAT(error_with("worker", 7), HasSubstr("`worker` is number; expected text"));
  EXPECT_THAT(error_with("complete", "yes"),
              HasSubstr("`complete` is text; expected true or false"));
  EXPECT_THAT(error_with("seconds", -1), HasSubstr("`seconds` is -1; expected a number from 0"));
  EXPECT_THAT(error_with("note", nullptr), HasSubstr("`note` is null; expected text"));
  EXPECT_THAT(error_with("first", 6),
              HasSubstr("`first` is 6; expected a whole number from 1 to 5"));
  EXPECT_THAT(error_with("count", 6),
              HasSubstr("`count` is 6; expected a whole number from 1 to 5"));
  EXPECT_THAT(error_with("first", 3),
              HasSubstr("`count` is 5; expected a whole number from 1 to 3"));
  Json elsewhere = judged(0, 3);
  elsewhere["first"] = 4;
  elsewhere["count"] = 2;
  EXPECT_THAT(error_of(elsewhere), HasSubstr("is not on the line's page, which has 4 to 5"));
  Json axes = {{"overall", 1}, {"accuracy", 2}, {"coverage", 3}, {"coherence", 8}};
  EXPECT_THAT(error_with("axes", {{"left", axes}, {"right", axes}}),
              HasSubstr("`axes.left.coherence` is 8; expected a whole number from 1 to 7"));
  axes.erase("coherence");
  EXPECT_THAT(error_with("axes", {{"left", axes}, {"right", axes}}),
              HasSubstr("the field `axes.left.coherence` is missing"));
  EXPECT_THAT(error_with("axes", 3), HasSubstr("`axes` is 3; expected an object or null"));
  EXPECT_THAT(error_with("axes", {{"left", 3}}), HasSubstr("`axes.left` is 3; expected an object"));
  for (const char* field :
       {"format", "pairs", "first", "count", "pair", "left", "worker", "downloaded", "complete",
        "scale", "lean", "cannot_judge", "axes", "note", "seconds"}) {
    Json row = judged(0, 3);
    row.erase(field);
    EXPECT_THAT(error_of(row), HasSubstr(fmt::format("`{}` is missing", field)));
  }
}

TEST_F(Judgements, NoCompleteAnswerIsAnError) {
  EXPECT_THAT(message_of<Error>([&] { (void)read({line(0)}); }),
              HasSubstr("no pair has a complete answer"));
  EXPECT_THAT(message_of<Error>([&] { (void)read({}); }),
              HasSubstr("no pair has a complete answer"));
}

}  // namespace
}  // namespace precis
