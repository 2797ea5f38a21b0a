// Tables and charts of a report from the files that evaluations write.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "report/report.hpp"
#include "report/report_pages.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
namespace fs = std::filesystem;

TEST(Report, TablesHaveTheTerminalsNamesAndSayTheirTemperature) {
  const TemporaryFolder folder;
  const std::string rate = R"({"rate":0.9,"low":0.85,"high":0.95})";
  const auto table = [&](const std::string& temperature) {
    return fmt::format(
        R"({{"posts":2000,"samples":1,{0}"policies":[{{"name":"references","gold":0.6438,"words":13.84}},{{"name":"SFT","gold":0.7,"words":14,"kl":0,"win_rate_references":{1}}},{{"name":"PPO","gold":0.95,"words":20,"kl":2.41,"coverage":0.97,"accuracy":0.9,"copying":{{"longest_run":{{"mean":4.5,"low":4.4,"high":4.6}},"ngrams":[null,{{"mean":0.5,"low":0.4,"high":0.6}}],"longest_share":{{"mean":0.25,"low":0.2,"high":0.3}}}},"win_rate_references":{1},"equal_length_references":{1},"win_rate_first":{1},"equal_length_first":{{"reason":"every one is longer"}}}}]}})",
        temperature, rate);
  };
  fill(
      folder / "loop",
      {{"table.json", table(R"("temperature":0,)")},
       {"table_sampled.json", table(R"("temperature":1,)")},
       {"best.json",
        R"({"rows":500,"samples":16,"temperature":0.7,"best_of":[{"n":1,"kl":0,"reward":{"mean":0.1,"low":0,"high":0.2}},{"n":2,"kl":0.193,"reward":{"mean":1.5,"low":1.25,"high":1.75}}]})"},
       {"table.json.old", "not looked at"}});
  const Report report = report_of(folder / "loop");
  EXPECT_THAT(report.problems, IsEmpty());
  for (const char* part :
       {">Policies under the gold labeler, temperature 0</h2>",
        ">Policies under the gold labeler, temperature 1</h2>",
        ">The best of n samples by the reward model, temperature 0.7</h2>",
        "2,000 posts, one sample per policy and post, sampled at temperature 1, judged by the gold",
        "500 posts, 16 samples of each at temperature 0.7",
        "<td class=\"number\">1.500 (1.250 to 1.750)</td>", "Reward of the best of n",
        "PPO, wins against SFT at equal length: every one is longer."}) {
    EXPECT_THAT(report.html, HasSubstr(part));
  }
  // The lines of the terminal, in its order and with its digits.
  std::string::size_type at = 0;
  for (const char* line :
       {"gold score</td><td class=\"number\">0.644</td>", "coverage</td>", "accuracy</td>",
        "length, words</td><td class=\"number\">13.8</td>", "longest copied run, words</td>",
        "copied pairs of words</td>", "KL, nats per summary</td><td class=\"number\">-</td>",
        "wins against references</td>", "at equal length</td>", "wins against SFT</td>",
        "at equal length</td>", "More numbers", "copying longest share</td>"}) {
    const auto found = report.html.find(line, at);
    ASSERT_NE(found, std::string::npos) << line;
    at = found + 1;
  }
  EXPECT_EQ(report.html.find("win_rate"), std::string::npos);

  // Of a former version's file the temperature is not known; two alike say where they are from.
  fill(folder / "loop", {{"table.json", table("")}, {"table_sampled.json", table("")}});
  const std::string html = report_of(folder / "loop").html;
  EXPECT_THAT(html, HasSubstr("sampled at a temperature that the file does not say"));
  EXPECT_THAT(html, HasSubstr(">Policies under the gold labeler: table_sampled.json</h2>"));
}

TEST(Report, ARateThatCannotBeGivenSaysWhyBelowTheTable) {
  const TemporaryFolder folder;
  const fs::path run = folder / "run";
  fill(run, {{"table.json",
              R"({"posts":9,"policies":[{"name":"PPO","words":3,"gold":1,"equal_length_first":)"
              R"({"reason":"length <alone> tells"}}]})"}});
  const std::string html = report_of(run).html;
  EXPECT_THAT(html, HasSubstr("at equal length</td><td class=\"number\">-</td>"));
  EXPECT_THAT(html, Not(HasSubstr("reason")));
  EXPECT_THAT(
      html,
      HasSubstr("PPO, wins against the first policy at equal length: length &lt;alone&gt; tells."));
  EXPECT_LT(html.find("gold score"), html.find("length, words"));
}

TEST(Report, AgreementIsInWordsAndWithThreeDecimals) {
  const TemporaryFolder folder;
  fill(
      folder / "run",
      {{"agreement.json",
        R"({"pairs":999,"accuracy":0.67167,"accuracy_low":0.64187,"accuracy_high":0.70015,"ties":0,"gold_pairs":855,"gold_agreement":0.81287,"gold_agreement_low":0.78488,"gold_agreement_high":0.83797,"labeler_gold_agreement":0.81754,"labeler_gold_agreement_low":0.79030,"labeler_gold_agreement_high":0.84196,"calibration":{"ece":0.14462,"ece_if_calibrated":{"low":0.01625,"high":0.0426},"log_loss":{"mean":0.000012,"low":0.00001,"high":0.000014},"bins":[{"predicted":0.7,"chosen":{"rate":0.66,"low":0.35,"high":0.88}}]}})"}});
  const std::string html = report_of(folder / "run").html;
  for (const char* part :
       {">accuracy</td><td class=\"number\">0.672 (0.642 to 0.700)</td>",
        ">pairs without a tie under gold</td><td class=\"number\">855</td>",
        ">agreement with gold</td><td class=\"number\">0.813 (0.785 to 0.838)</td>",
        ">labelers&#39; agreement with gold</td><td class=\"number\">0.818 (0.790 to 0.842)</td>",
        "The calibration error is 0.145; on so many pairs that of a calibrated model would be "
        "0.016 "
        "to 0.043.",
        "Log loss: 1.2e-5 (1e-5 to 1.4e-5)."}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  EXPECT_THAT(html, Not(HasSubstr("gold pairs")));
}

/// The classes of colour at the ends of a method's lines, in the order of the charts.
std::vector<std::string> colours_of(const std::string& html, const std::string& method) {
  std::vector<std::string> colours;
  const std::regex label("class=\"label (k[0-9]+)\"[^>]*>" + method + "<");
  for (auto at = std::sregex_iterator(html.begin(), html.end(), label);
       at != std::sregex_iterator(); ++at) {
    colours.push_back((*at)[1]);
  }
  return colours;
}

TEST(Report, AMethodKeepsItsColourWhereItsGoldScoreNeverRises) {
  const TemporaryFolder folder;
  const fs::path run = folder / "run";
  const auto point = [](const char* method, int kl, int reward, int gold) {
    return fmt::format("{{\"method\":\"{}\",\"kl\":{},\"reward\":{},\"gold\":{}}}\n", method, kl,
                       reward, gold);
  };
  const std::string careful = point("careful", 0, 0, 0) + point("careful", 1, 1, 1);
  fill(run,
       {{"overoptimize.jsonl", careful + point("greedy", 0, 0, 0) + point("greedy", 4, 2, -1)}});
  const std::string apart = report_of(run).html;
  ASSERT_EQ(colours_of(apart, "careful").size(), 2U);
  ASSERT_EQ(colours_of(apart, "greedy").size(), 2U);
  EXPECT_EQ(colours_of(apart, "careful")[0], colours_of(apart, "careful")[1]);
  EXPECT_EQ(colours_of(apart, "greedy")[0], colours_of(apart, "greedy")[1]);
  EXPECT_NE(colours_of(apart, "careful"), colours_of(apart, "greedy"));
  EXPECT_THAT(apart, Not(HasSubstr("largest rise")));

  fill(run,
       {{"overoptimize.jsonl", careful + point("greedy", 0, 0, 0) + point("greedy", 4, 2, 1)}});
  const std::string together = report_of(run).html;
  EXPECT_THAT(together, HasSubstr("largest rise"));
  EXPECT_EQ(colours_of(together, "reward model, careful")[0], colours_of(together, "careful")[0]);
  EXPECT_EQ(colours_of(together, "gold, careful")[0], colours_of(together, "careful")[1]);
}

TEST(Report, PoliciesAreJoinedInTheOrderOfTheirStepsNotOfTheirKl) {
  const TemporaryFolder folder;
  const fs::path run = folder / "run";
  fill(run, {{"overoptimize.jsonl",
              "{\"name\":\"SFT\",\"kl\":0,\"reward\":0,\"gold\":0.5}\n"
              "{\"name\":\"step 10\",\"kl\":9,\"reward\":2,\"gold\":0.1}\n"
              "{\"name\":\"step 20\",\"kl\":1,\"reward\":1,\"gold\":0.7}\n"}});
  const std::string html = report_of(run).html;
  const std::regex line(R"(M([0-9.]+) [0-9.]+L([0-9.]+) [0-9.]+L([0-9.]+) [0-9.]+)");
  std::smatch points;
  ASSERT_TRUE(std::regex_search(html, points, line));
  EXPECT_LT(std::stod(points[1]), std::stod(points[3]));
  EXPECT_LT(std::stod(points[3]), std::stod(points[2]));
}

TEST(Report, SaysWhichRunsSamplesAreNotShown) {
  const TemporaryFolder folder;
  for (int i = 1; i <= 7; ++i) {
    fill(folder / fmt::format("loop/run{}", i),
         {{"metrics.jsonl", "{\"step\":1,\"loss\":0.7,\"seconds\":1}\n"},
          {"deck.cfg", "[sft]\nloss = all\n"},
          {"log.txt", ""},
          {"samples.jsonl",
           "{\"step\":1,\"id\":\"7\",\"response\":\"a summary\",\"finish\":\"eos\"}\n"}});
  }
  const std::string html = report_of(folder / "loop").html;
  EXPECT_THAT(html, HasSubstr("Not shown beside them: run6 sft, step 1; run7 sft, step 1."));
}

}  // namespace
}  // namespace precis
