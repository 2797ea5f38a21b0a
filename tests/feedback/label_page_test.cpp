#include "feedback/label_page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "feedback/made_pairs.hpp"
#include "support/expect_error.hpp"
#include "support/shell.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

class LabelPageText : public testing::Test {
 protected:
  PairList list_of(const std::vector<Json>& rows) {
    return read_pair_list(folder_.file("pairs.jsonl", to_lines(rows)));
  }

  nlohmann::ordered_json data_of(const std::vector<Json>& rows,
                                 const LabelPageOptions& options = {}) {
    return label_page_data(list_of(rows), options);
  }

  TemporaryFolder folder_;
};

/// What stands between two marks, the first time.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const auto from = text.find(begin) + begin.size();
  return text.substr(from, text.find(end, from) - from);
}

TEST_F(LabelPageText, HoldsTextsInTheOrderShownAndNothingThatTellsThemApart) {
  Json judged = made_pair(0);
  judged["choice"] = 1;
  judged["worker"] = "somebody";
  judged["extra"] = {{"confidence", 9}};
  const auto data = data_of({judged});
  const auto& item = data["items"][0];
  const int left = item["left"];
  EXPECT_EQ(item["summaries"][static_cast<std::size_t>(left)], "First 0.");
  EXPECT_EQ(item["summaries"][static_cast<std::size_t>(1 - left)], "Second 0.");
  EXPECT_EQ(item["source"], "r/tifu");
  EXPECT_EQ(item["title"], "A title");
  EXPECT_EQ(item["post"], "Post 0.");
  const std::string page = between(label_page(data), "id=\"data\">", "</script>");
  for (const char* secret : {"ref", "ppo", "somebody", "confidence", "choice", "batch3", "t3_0"}) {
    EXPECT_THAT(page, Not(HasSubstr(secret)));
  }
}

TEST_F(LabelPageText, ASummaryWithoutTextIsRefusedOrShownAsSuch) {
  Json row = made_pair(1);
  row["summaries"][1]["text"] = " \n";
  EXPECT_THAT(message_of<Error>([&] {
                (void)data_of({made_pair(0), row});
              }),
              testing::AllOf(HasSubstr("pairs.jsonl:2: summary 1 has no text"),
                             HasSubstr("--label.empty_summaries show")));
  // A page of other pairs of the file is none of its business.
  EXPECT_EQ(data_of({made_pair(0), row}, {.limit = 1})["items"].size(), 1U);
  const auto shown = data_of({row}, {.empty_summaries = EmptySummaries::show});
  const int left = shown["items"][0]["left"];
  EXPECT_EQ(shown["items"][0]["summaries"][static_cast<std::size_t>(1 - left)], "(empty)");
  EXPECT_EQ(shown["pairs"], list_of({row}).digest) << "answers belong to the file as it is";
}

TEST_F(LabelPageText, APromptStandsAsThePost) {
  const Json row = {{"prompt", "Why?"}, {"chosen", " So."}, {"rejected", " No."}, {"id", 3}};
  const PairList list = list_of({row});
  const auto item = label_page_data(list, {})["items"][0];
  EXPECT_EQ(item["post"], "Why?");
  EXPECT_EQ(item["source"], "");
  EXPECT_EQ(item["title"], "");
  EXPECT_EQ(list.pairs.at(0).row["info"]["prompt"], "Why?");
}

TEST_F(LabelPageText, ShowsTheSecondSummaryFirstInHalfOfThePairsByChance) {
  const auto rows = made_pairs(1000);
  const auto count_left = [&](std::uint64_t seed) {
    const auto data = data_of(rows, {.seed = seed});
    std::vector<int> left;
    for (const auto& item : data["items"]) {
      left.push_back(item["left"]);
    }
    return left;
  };
  const auto one = count_left(1);
  const auto two = count_left(2);
  EXPECT_EQ(one, count_left(1));
  const auto swapped = std::count(one.begin(), one.end(), 1);
  // Five standard deviations of 1,000 tosses.
  EXPECT_NEAR(static_cast<double>(swapped), 500, 79);
  int same = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    same += one[i] == two[i] ? 1 : 0;
  }
  EXPECT_NEAR(same, 500, 79);
}

TEST_F(LabelPageText, APartShowsItsPairsAsTheWholeDoes) {
  const auto whole = data_of(made_pairs(10));
  const auto part = data_of(made_pairs(10), {.first = 4, .limit = 3});
  ASSERT_EQ(part["items"].size(), 3U);
  EXPECT_EQ(part["items"][0], whole["items"][3]);
  EXPECT_EQ(part["items"][2], whole["items"][5]);
  EXPECT_EQ(part["pairs"], whole["pairs"]);
  EXPECT_EQ(data_of(made_pairs(10), {.first = 9, .limit = 3})["items"].size(), 2U);
  EXPECT_THAT(message_of<UsageError>([&] { (void)data_of(made_pairs(10), {.first = 11}); }),
              HasSubstr("label.first is 11, but"));
}

TEST_F(LabelPageText, ItsDigestDiffersWithEverythingThatIsShown) {
  const auto rows = made_pairs(3);
  const std::vector<std::string> digests = {
      data_of(rows)["page"],
      data_of(rows, {.seed = 2})["page"],
      data_of(rows, {.axes = true})["page"],
      data_of(rows, {.first = 2})["page"],
      data_of(rows, {.limit = 2})["page"],
      data_of(rows, {.title = "Another"})["page"],
      data_of(rows, {.instructions = "Read."})["page"],
      data_of(made_pairs(4))["page"],
  };
  EXPECT_EQ(std::set(digests.begin(), digests.end()).size(), digests.size());
  EXPECT_EQ(data_of(rows)["page"], digests[0]);
  EXPECT_THAT(digests[0], testing::MatchesRegex("[0-9a-f]{16}"));
}

TEST_F(LabelPageText, NoTagCanBeginInItsData) {
  Json row = made_pair(0);
  row["info"]["post"] = "</script><script>alert(1)</script><!--<script> @SCRIPT@ &amp; \u2028";
  row["info"]["title"] = "</title>";
  const auto data = data_of({row}, {.title = "</title><b>", .instructions = "<i>"});
  const std::string page = label_page(data);
  const std::string block = between(page, "id=\"data\">", "</script>");
  EXPECT_THAT(block, Not(HasSubstr("<")));
  EXPECT_EQ(Json::parse(block), Json(data));
  EXPECT_EQ(count_of(page, "<script"), 2);
  EXPECT_EQ(count_of(page, "</title>"), 1);
}

TEST_F(LabelPageText, ItsPolicyAllowsItsOwnStyleAndScriptOnly) {
  const std::string page = label_page(data_of(made_pairs(1)));
  const std::string policy = between(page, "Content-Security-Policy\" content=\"", "\"");
  const auto hash_of = [&](const std::string& text) {
    const std::string file = folder_.file("part", text);
    const Outcome outcome =
        shell("sha256sum < " + file + " | head -c 64 | tr a-f A-F | basenc --base16 -d | base64");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return "'sha256-" + outcome.output.substr(0, 44) + "'";
  };
  EXPECT_EQ(policy, "default-src 'none'; script-src " +
                        hash_of(between(page, "<script>", "</script>")) + "; style-src " +
                        hash_of(between(page, "<style>", "</style>")) +
                        "; base-uri 'none'; form-action 'none'");
  for (const char* word : {"http:", "https:", "src=", "@import", "url(", "innerHTML", " style="}) {
    EXPECT_THAT(page, Not(HasSubstr(word)));
  }
}

TEST_F(LabelPageText, ArticlesHaveTheirTitleAndSite) {
  Json row = made_pair(0);
  row["info"] = {{"id", "1"}, {"site", "cnn"}, {"title", "News"}, {"article", "It happened."}};
  Json bare = made_pair(1);
  bare["info"] = {{"article", "It happened again."}};
  const auto data = data_of({row, bare});
  EXPECT_EQ(data["items"][0]["source"], "cnn");
  EXPECT_EQ(data["items"][0]["title"], "News");
  EXPECT_EQ(data["items"][0]["post"], "It happened.");
  EXPECT_EQ(data["items"][1]["source"], "");
  EXPECT_EQ(data["items"][1]["title"], "");
}

TEST_F(LabelPageText, EachPairOfDifferentTextsIsListedOnce) {
  Json swapped = made_pair(0);
  std::swap(swapped["summaries"][0], swapped["summaries"][1]);
  Json identical = made_pair(1);
  identical["summaries"][1]["text"] = identical["summaries"][0]["text"].get<std::string>() + " ";
  const PairList list = list_of({made_pair(0), identical, swapped, made_pair(2)});
  ASSERT_EQ(list.pairs.size(), 2U);
  EXPECT_EQ(list.identical, 1);
  EXPECT_EQ(list.repeated, 1);
  EXPECT_EQ(list.pairs[1].comparison.line, 4);
  EXPECT_EQ(list.place(list.pairs[1].id), 1U);
  EXPECT_EQ(list.place("0"), std::nullopt);
  // The digest knows which summary is the row's first.
  EXPECT_NE(list_of({swapped, made_pair(2)}).digest, list.digest);
  EXPECT_NE(list_of({made_pair(2), made_pair(0)}).digest, list.digest);
  EXPECT_EQ(list_of({made_pair(0), made_pair(2)}).digest, list.digest);

  EXPECT_THAT(message_of<Error>([&] { (void)list_of({identical}); }),
              HasSubstr("1 pair of identical ones"));
  EXPECT_THAT(message_of<Error>([&] { (void)list_of({}); }), HasSubstr("there is no pair"));
  EXPECT_THAT(message_of<Error>([&] {
                (void)list_of({made_pair(0), {{"post", "p"}, {"summary", "s"}}});
              }),
              HasSubstr("pairs.jsonl:2"));
}

}  // namespace
}  // namespace precis
