// Reports of whole, unfinished, broken and hostile run folders.
#include "report/report.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "report/files.hpp"
#include "report/report_pages.hpp"
#include "report/run.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
namespace fs = std::filesystem;

const std::string hostile =
    R"x(</title></style><script>alert(1)</script><img src=x onerror="a()">'&)x";

std::string ppo_metrics(int steps) {
  std::string rows;
  for (int step = 1; step <= steps; ++step) {
    rows += fmt::format(
        R"({{"step":{},"tokens":{},"score_mean":{},"score_std":0.5,"rlhf_reward":-1,"kl_k1":{},"kl_k3":{},"kl_exact":{},"entropy":0.3,)"
        R"("seconds":4,"seconds_rollout":1,"seconds_update":2,"tokens_per_second":1000,"rollout_tokens_per_second":5000}})"
        "\n",
        step, 1000 * step, 0.1 * step, 0.01 * step, 0.02 * step, 0.015 * step);
  }
  return rows;
}

const std::string log_text =
    "2026-01-02T10:00:00Z info: Running on 4 ranks (dedicated), 1 thread each, cpu (AVX2), f32.\n"
    "2026-01-02T10:00:05Z info: ppo  step 1/40  score 0.1  7,622 tokens/s  2 min 45 s left\n"
    "2026-01-02T10:00:07Z warning: The disk is nearly full.\n"
    "2026-01-02T10:01:00Z info: Peak host memory of tensors, on rank 3: 546 MiB of 24 GiB.\n";

void fill_ppo(const fs::path& folder, int steps, const std::string& batch = "128") {
  fill(folder,
       {{"metrics.jsonl", ppo_metrics(steps)},
        {"deck.cfg", "seed = 1\nrun = " + folder.string() + "\n\n[ppo]\nbatch = " + batch + "\n"},
        {"log.txt", log_text}});
}

TEST(Report, OfAWholeRunHasNoProblems) {
  const TemporaryFolder folder;
  fill_ppo(folder / "ppo", 40);
  fill(
      folder / "ppo",
      {{"policy.h5", ""},
       {"samples.jsonl",
        R"({"step":10,"id":"p1","response":"Early words.","finish":"eos","reference":"Ref."})"
        "\n"
        R"({"step":40,"id":"p1","response":"Late words.","finish":"length","reference":"Ref.","score":0.75})"
        "\n"},
       {"episodes.jsonl",
        R"({"step":1,"episode":0,"prompt_id":"e1","prompt_ids":[1],"response_ids":[2,3],"finish":"eos","score":0.5,"logprobs":[-1,-2],"reference_logprobs":[-1.5,-2]})"
        "\n"}});
  const Report report = report_of(folder / "ppo");
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.runs, 1U);
  for (const char* part : {"<title>Report: ppo</title>",
                           "complete, 40 steps",
                           "Reward that is optimised (after rules and KL)",
                           "Score of the reward model, before rules and KL",
                           "reward, after rules and KL</div>",
                           "k3</text>",
                           "Early words.",
                           "Late words.",
                           "cut at the limit of tokens",
                           "score 0.75",
                           "Ref.",
                           "Time by phase",
                           "4 ranks (dedicated), 1 thread each, cpu (AVX2), f32.",
                           "Peak host memory",
                           "The disk is nearly full.",
                           "batch = 128",
                           "rollout: 40 s (25.0%)",
                           "other: 40 s (25.0%)",
                           "log-ratio to the reference policy 0.5",
                           ">0.1 at step 1"}) {
    EXPECT_THAT(report.html, HasSubstr(part));
  }
  EXPECT_THAT(report.html, Not(HasSubstr("Running on")));
  // A batch may hold a post many times: the spread over its rows gives no interval.
  EXPECT_THAT(report.html, Not(HasSubstr("95% interval 3.913")));
  EXPECT_EQ(report.html, report_of(folder / "ppo").html) << "the same files give the same page";
}

TEST(Report, OfSeveralRunsComparesThem) {
  const TemporaryFolder folder;
  fill_ppo(folder / "a/ppo", 40, "128");
  fill(folder / "a/ppo", {{"policy.h5", ""}});
  fill_ppo(folder / "b/ppo", 20, "64");
  const Report report = make_report(
      {.folders = {(folder / "a").string(), (folder / "b").string()}, .posts = {}, .title = "Two"});
  expect_harmless(report.html);
  EXPECT_EQ(report.runs, 2U);
  EXPECT_THAT(
      report.html,
      HasSubstr(
          "<td dir=\"auto\">ppo<wbr>.batch</td><td dir=\"auto\">128</td><td dir=\"auto\">64</td>"));
  EXPECT_THAT(report.html, Not(HasSubstr("<td dir=\"auto\">seed</td>"))) << "it does not differ";
  EXPECT_THAT(report.html,
              HasSubstr("<span class=\"key k0\">a</span><span class=\"key k1\">b</span>"));
  EXPECT_THAT(report.html, HasSubstr("KL to the reference policy, nats per summary: exact"));
  EXPECT_THAT(report.html, HasSubstr("<td dir=\"auto\">complete, 40\u00a0steps</td>"));
}

TEST(Report, ChartsOfSeveralRunsSayWhichLinesAreOfValidation) {
  const TemporaryFolder folder;
  for (const char* run : {"a", "b"}) {
    std::string metrics;
    for (int step = 1; step <= 100; ++step) {
      metrics += fmt::format("{{\"step\":{},\"loss\":{},\"accuracy\":0.5{}}}\n", step,
                             step == 50 ? 70.0 : 1.0 / step,
                             step % 25 == 0 ? fmt::format(",\"valid_loss\":{}", 2.0 / step) : "");
    }
    fill(folder / "loop" / run, {{"metrics.jsonl", metrics}, {"deck.cfg", ""}, {"log.txt", ""}});
  }
  const std::string html = report_of(folder / "loop").html;
  EXPECT_THAT(html,
              HasSubstr("<span class=\"key k1\">b</span><span class=\"key "
                        "dotted\">validation</span><span class=\"key pale\">each step</span>"));
  EXPECT_THAT(html, HasSubstr("\nb, validation 0.02"));
  EXPECT_THAT(html, HasSubstr("single steps, at a chart's edge where they lie beyond it."));
}

TEST(Report, OfALoopFindsItsStagesAndTables) {
  const TemporaryFolder folder;
  fill_ppo(folder / "loop/ppo", 40);
  fill(folder / "loop/sft",
       {{"metrics.jsonl", "{\"step\":1,\"loss\":2,\"valid_loss\":2.5,\"seconds\":1}\n"},
        {"deck.cfg", "[sft]\nloss = all\n"},
        {"log.txt", ""}});
  fill(folder / "loop/reward",
       {{"metrics.jsonl", "{\"step\":1,\"loss\":0.7,\"accuracy\":0.5,\"seconds\":1}\n"},
        {"deck.cfg", ""},
        {"log.txt", ""}});
  fill(
      folder / "loop",
      {{"table.json",
        R"({"posts":500,"policies":[{"name":"references","gold":0.64},{"name":"PPO","gold":0.72,"kl":2.1,"win_rate_first":{"rate":0.714,"low":0.67,"high":0.75}}]})"},
       {"agreement.json",
        R"({"pairs":100,"accuracy":0.7,"gold_agreement":0.8,"gold_agreement_low":0.71,"gold_agreement_high":0.87,"by_confidence":{"1":{"pairs":50,"accuracy":0.8,"accuracy_low":0.67,"accuracy_high":0.89},"9":{"pairs":50,"accuracy":0.9,"accuracy_low":0.79,"accuracy_high":0.96}},"calibration":{"ece":0.0417,"ece_if_calibrated":{"low":0.011,"high":0.052},"brier":{"mean":0.19,"low":0.15,"high":0.23},"bins":[{"low":0.5,"high":0.55,"pairs":0},{"low":0.7,"high":0.75,"pairs":9,"predicted":0.72,"chosen":{"rate":0.66,"low":0.35,"high":0.88}}]}})"},
       {"audit.json",
        R"({"judgements":20,"pairs":10,"judged_by_several":10,"matrix":{"judges":[{"name":"ann","kind":"labeler"},{"name":"bob","kind":"labeler"}],"cells":[[null,{"agreed":7,"pairs":10,"share":0.7,"low":0.4,"high":0.89}],[{"agreed":7,"pairs":10,"share":0.7,"low":0.4,"high":0.89},null]]},"workers":[{"worker":"ann","judgements":10,"accuracy":0.8,"accuracy_low":0.6,"accuracy_high":0.9,"weight":0.6,"verdict":"too few judgements to tell","longer":{"share":0.5,"low":0.2,"high":0.8}}],"by_batch":[{"name":"b1","agreed":3,"pairs":5,"share":0.6,"low":0.2,"high":0.9},{"name":"b2","agreed":4,"pairs":5,"share":0.8,"low":0.4,"high":0.96}]})"},
       {"overoptimize.jsonl",
        "{\"name\":\"a\",\"kl\":0,\"reward\":0,\"gold\":0.5}\n{\"name\":\"b\",\"kl\":4,\"reward\":"
        "1,\"gold\":0.7,\"gold_low\":0.6,\"gold_high\":0.8}\n{\"name\":\"c\",\"kl\":25,\"reward\":"
        "2,\"gold\":0.3}\n"}});
  const Report report = report_of(folder / "loop");
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.runs, 3U);
  const auto twice = {(folder / "loop").string(), (folder / "loop/ppo").string()};
  EXPECT_EQ(find_report_files(twice).runs.size(), 3U);
  for (const char* part : {"Policies under the gold labeler",
                           "0.714 (0.670 to 0.750)",
                           "Agreement of the reward model",
                           "Agreement by confidence",
                           "The calibration error is 0.042;",
                           "would be 0.011 to 0.052",
                           "Brier score: 0.190 (0.150 to 0.230)",
                           "how often the higher reward was chosen",
                           "Agreement of labelers",
                           "0.40 to 0.89",
                           "accuracy, estimated (95% over pairs)",
                           "0.800 (0.600 to 0.900)",
                           "over time",
                           "below 5.</p>",
                           "Over-optimisation",
                           "0.7 (0.6 to 0.8)",
                           "gold</text>",
                           ">PPO</h2>",
                           ">Reward model</h2>",
                           ">Supervised fine-tuning</h2>"}) {
    EXPECT_THAT(report.html, HasSubstr(part));
  }
  EXPECT_THAT(
      report.html,
      HasSubstr("agreement with gold</td><td class=\"number\">0.800 (0.710 to 0.870)</td>"));
  EXPECT_THAT(report.html, Not(HasSubstr("agreement low")));
  EXPECT_THAT(report.html, HasSubstr("batch, b1 to b2"));
  EXPECT_THAT(report.html, HasSubstr(">too few judgements to tell</td>"));
  // A share alone does not say how its pairs are spread over posts: it gets no interval.
  EXPECT_THAT(report.html, Not(HasSubstr("0.7 (0.6042")));
}

TEST(Report, SamplesStandWithTheirPostsWithoutHeldOutRows) {
  const TemporaryFolder folder;
  const std::string prompts = folder.file(
      "prompts.jsonl",
      "{\"id\":\"a\",\"subreddit\":\"s\",\"title\":\"T\",\"post\":\"Of the prompts.\"}\n");
  fill_ppo(folder / "run", 2);
  const std::string deck = "[ppo]\nbatch = 128\n\n[data]\nprompts = " + prompts + "\nvalid = \n";
  fill(folder / "run", {{"deck.cfg", deck},
                        {"samples.jsonl", "{\"step\":1,\"id\":\"a\",\"response\":\"Short.\"}\n"}});
  EXPECT_THAT(report_of(folder / "run").html, HasSubstr("<strong>T</strong> Of the prompts.</p>"));
  // What the row itself has is nearer than any file.
  fill(folder / "run", {{"samples.jsonl",
                         R"({"step":1,"id":"a","response":"Short.","title":"Own","post":"Itself."})"
                         "\n"}});
  EXPECT_THAT(report_of(folder / "run").html, HasSubstr("<strong>Own</strong> Itself.</p>"));
}

TEST(Report, SaysWhatIsMissing) {
  const TemporaryFolder folder;
  fill(folder / "run", {{"metrics.jsonl", ""}});
  const Report report = report_of(folder / "run");
  EXPECT_THAT(report.problems, ElementsAre(HasSubstr("metrics.jsonl: no step is in it yet."),
                                           HasSubstr("deck.cfg: the file does not exist."),
                                           HasSubstr("log.txt: the file does not exist.")));
  for (const std::string& problem : report.problems) {
    EXPECT_THAT(report.html, HasSubstr(problem));
  }
}

TEST(Report, FoldersThatCannotBeShownAreOneMessage) {
  const TemporaryFolder folder;
  const auto message = [](const fs::path& path) {
    return message_of<Error>(
        [&] { (void)make_report({.folders = {path.string()}, .posts = {}, .title = ""}); });
  };
  EXPECT_THAT(message(folder / "none"), HasSubstr("there is no such folder"));
  EXPECT_THAT(message(folder.file("file", "x")), HasSubstr("is not a folder"));
  fs::create_directories(folder / "empty/deeper");
  EXPECT_THAT(message(folder / "empty"),
              AllOf(HasSubstr("holds nothing to report"), HasSubstr("metrics.jsonl")));
}

TEST(Report, UnfinishedRunsSayHowFarTheyCame) {
  const TemporaryFolder folder;
  fill_ppo(folder / "run", 12);
  fill(folder / "run", {{"metrics.jsonl", ppo_metrics(12) + R"({"step":13,"tok)"}});
  ReportedRun run = read_run(folder / "run");
  EXPECT_EQ(run.state(), "unfinished after step 12 of 40");
  EXPECT_THAT(run.problems, ElementsAre(HasSubstr("the last line is incomplete")));
  fill(folder / "run", {{"lock", "{}"}});
  EXPECT_EQ(read_run(folder / "run").state(), "still running, or killed, after step 12 of 40");
  fill(folder / "run",
       {{"log.txt",
         log_text +
             "2026-01-02T10:02:00Z info: Stopped after 12 of 40 steps, with a checkpoint.\n"}});
  EXPECT_EQ(read_run(folder / "run").state(), "stopped early after step 12 of 40; it can go on");
  fill(folder / "run", {{"log.txt", log_text + "2026-01-02T10:02:00Z error: Step 13: policy_loss "
                                               "is nan. The run stops.\nIts state is kept.\n"}});
  run = read_run(folder / "run");
  EXPECT_EQ(run.state(), "stopped by an error after step 12 of 40");
  EXPECT_EQ(run.log.events.back().text,
            "Step 13: policy_loss is nan. The run stops.\nIts state is kept.");
  EXPECT_THAT(report_of(folder / "run").html, HasSubstr("<p class=\"error\""));
}

TEST(Report, RowsThatCannotBeUsedAreCountedAndLeftOut) {
  const TemporaryFolder folder;
  fill_ppo(folder / "run", 1);
  fill(folder / "run",
       {{"metrics.jsonl",
         "{\"step\":1,\"loss\":1}\nnot json\n[1]\n{\"loss\":2}\n\n{\"step\":1,\"loss\":3}\n"
         "{\"step\":2,\"loss\":null}\n{\"step\":3,\"loss\":\"text\"}\n{\"step\":4,\"loss\":1e999}"
         "\n\xff\n"}});
  const ReportedRun run = read_run(folder / "run");
  EXPECT_EQ(run.steps, 3);
  EXPECT_THAT(run.problems,
              Contains(AllOf(HasSubstr("6 lines cannot be used"), HasSubstr("line 2: not JSON"))));
  EXPECT_THAT(run.problems, Contains(HasSubstr("loss is not a finite number at 1 step")));
  ASSERT_NE(run.find("loss"), nullptr);
  EXPECT_EQ(run.find("loss")->count(), 1);
}

TEST(Report, TextFromFilesCannotRun) {
  const TemporaryFolder folder;
  const std::string quoted =
      R"x(</title></style><script>alert(1)</script><img src=x onerror=\"a()\">'&)x";
  const fs::path run = folder / "a<script>b";
  fill(
      run,
      {{"metrics.jsonl",
        fmt::format("{{\"step\":1,\"{0}\":1,\"seconds\":1,\"seconds_{0}\":0.5,\"score_mean\":1}}\n",
                    quoted)},
       {"deck.cfg", "[ppo]\nbatch = " + hostile + "\n\xff\x1b"},
       {"log.txt", "2026-01-02T10:00:00Z warning: " + hostile +
                       "\n2026-01-02T10:00:00Z info: Running on " + hostile + "\n"},
       {"samples.jsonl",
        fmt::format(
            "{{\"step\":1,\"id\":\"{0}\",\"response\":\"{0}\",\"reference\":\"{0}\",\"{0}\":1}}\n",
            quoted)},
       {"episodes.jsonl",
        fmt::format("{{\"step\":1,\"prompt_id\":\"{0}\",\"prompt_ids\":[-1,99999999999,\"x\"],"
                    "\"response_ids\":{{}},\"score\":\"{0}\"}}\n",
                    quoted)},
       {"posts_x.jsonl",
        fmt::format("{{\"id\":\"{0}\",\"subreddit\":\"s\",\"title\":\"{0}\",\"post\":\"{0}\"}}\n",
                    quoted)},
       {"table.json",
        fmt::format(
            "{{\"posts\":1,\"policies\":[{{\"name\":\"{0}\",\"{0}\":\"{0}\",\"gold\":1}}]}}",
            quoted)},
       {"agreement.json",
        fmt::format("{{\"accuracy\":1,\"by_{0}\":{{\"{0}\":{{\"{0}\":\"{0}\"}}}}}}", quoted)},
       {"audit.json",
        fmt::format(
            "{{\"matrix\":{{\"judges\":[{{\"name\":\"{0}\"}}],\"cells\":[[{{\"share\":1,\"low\":0,"
            "\"high\":1}}]]}},\"workers\":[{{\"worker\":\"{0}\",\"accuracy\":1}}]}}",
            quoted)},
       {"overoptimize.jsonl",
        fmt::format("{{\"name\":\"{0}\",\"method\":\"{0}\",\"kl\":-1,\"reward\":1,\"gold\":2}}\n",
                    quoted)}});
  const Report report = make_report({.folders = {run.string()}, .posts = {}, .title = ""});
  expect_harmless(report.html);
  EXPECT_THAT(report.html, Not(HasSubstr("<script")));
  EXPECT_THAT(report.html, HasSubstr("&lt;script&gt;alert(1)"));
  EXPECT_THAT(report.html, Not(HasSubstr("\xff")));
}

TEST(Report, WrongShapesOfJsonDoNoHarm) {
  const TemporaryFolder folder;
  const fs::path run = folder / "run";
  for (const char* json :
       {"[]", "{}", "null", "1", "\"x\"", "", "{", "{\"policies\":1}", "{\"policies\":[1,[],{}]}",
        "{\"matrix\":1,\"workers\":{\"a\":1},\"by_batch\":[[]]}",
        "{\"matrix\":{\"judges\":[1,{}],\"cells\":[1,[2,{\"share\":\"x\"}]]}}",
        R"({"accuracy":-5,"pairs":-1,"by_confidence":{"1":{"accuracy":7,"pairs":0},"2":3}})",
        "{\"calibration\":{\"ece\":[],\"bins\":[1,{\"predicted\":\"x\",\"chosen\":1}]}}",
        "{\"accuracy\":0.5,\"pairs\":1e300}", "{\"share\":1,\"low\":2,\"high\":{}}",
        "{\"kl\":1e308,\"reward\":-1e308,\"gold\":1e308}\n{\"kl\":0,\"gold\":-1e308}"}) {
    fill(run, {{"log.txt", json},
               {"deck.cfg", json},
               {"metrics.jsonl", json},
               {"samples.jsonl", json},
               {"episodes.jsonl", json},
               {"table.json", json},
               {"agreement.json", json},
               {"audit.json", json},
               {"overoptimize.jsonl", json}});
    SCOPED_TRACE(json);
    const Report report = report_of(run);
    EXPECT_THAT(report.html, Not(HasSubstr("\"nan\"")));
    EXPECT_THAT(report.problems, Not(IsEmpty()));
  }
  const std::string deep(100000, '[');
  fill(run, {{"table.json", deep}, {"metrics.jsonl", deep + "\n"}});
  EXPECT_THAT(report_of(run).problems, Contains(HasSubstr("nested")));
}

TEST(Report, FilesThatAreNoFilesAreNotOpened) {
  const TemporaryFolder folder;
  const fs::path run = folder / "run";
  fs::create_directories(run / "metrics.jsonl");
  ASSERT_EQ(::mkfifo((run / "log.txt").c_str(), 0600), 0);
  fs::create_symlink("/dev/zero", run / "deck.cfg");
  fs::create_symlink(run / "samples.jsonl", run / "samples.jsonl");
  ASSERT_EQ(::mkfifo((run / "table.json").c_str(), 0600), 0);
  fs::create_directory_symlink(folder.path(), run / "loop");
  const Report report = report_of(run);
  EXPECT_THAT(report.problems, testing::SizeIs(3));
  EXPECT_THAT(report.problems, testing::Each(HasSubstr("not a regular file")));
}

TEST(Report, HugeFilesGiveASmallPage) {
  const TemporaryFolder folder;
  const fs::path run = folder / "run";
  fs::create_directories(run);
  std::ofstream metrics(run / "metrics.jsonl");
  for (int step = 1; step <= 200000; ++step) {
    metrics << fmt::format("{{\"step\":{},\"loss\":{},\"seconds\":0.1}}\n", step, 1.0 / step);
  }
  const std::string long_text(8000000, 'x');
  metrics << "{\"step\":300000,\"text\":\"" << long_text << long_text << "\"}\n";
  for (int i = 0; i < 300; ++i) {
    metrics << fmt::format("{{\"step\":{},\"k{}\":1}}\n", 400000 + i, i);
  }
  metrics.close();
  std::ofstream log(run / "log.txt");
  for (int i = 0; i < 1000; ++i) {
    log << "2026-01-02T10:00:00Z warning: trouble " << i << "\n";
  }
  log.close();
  const Report report = report_of(run);
  EXPECT_THAT(report.problems, Contains(HasSubstr("line 200001 is longer than 8.0 MiB")));
  EXPECT_THAT(report.problems, Contains(HasSubstr("more than 200 different metrics")));
  EXPECT_THAT(report.html, AllOf(HasSubstr("trouble 999"), HasSubstr("960 more lines before these"),
                                 Not(HasSubstr("trouble 959"))));
  EXPECT_LT(report.html.size(), 1000000U);
}

TEST(ShortNames, AreWhatTellsPathsApart) {
  EXPECT_THAT(short_names({"/a/q2/ppo", "/a/q3/ppo"}), ElementsAre("q2", "q3"));
  EXPECT_THAT(short_names({"/a/b/ppo"}), ElementsAre("ppo"));
  EXPECT_THAT(short_names({"/a/x", "/a/x/y"}), ElementsAre("x", "y"));
  EXPECT_THAT(short_names({"/a/x", "/a/x"}), ElementsAre("x", "x"));
  EXPECT_THAT(short_names({"/a/1/r/ppo", "/a/2/s/ppo"}), ElementsAre("1/r", "2/s"));
}

}  // namespace
}  // namespace precis
