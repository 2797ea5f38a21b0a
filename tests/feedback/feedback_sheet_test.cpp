#include "feedback/feedback_sheet.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "feedback/judged.hpp"
#include "io/output_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

// ann differs from the researcher on posts 0 to 4, with rising confidence; three batches.
std::vector<Comparison> judgements() {
  std::vector<Comparison> list;
  for (int i = 0; i < 9; ++i) {
    list.push_back(judged(i, "ann", i < 5 ? 'A' : 'B'));
    list.back().confidence = i < 4 ? 4 - i : 3;
    list.back().batch = "batch" + std::to_string(i / 3);
    list.push_back(judged(i, "rita", 'B', true));
  }
  return list;
}

TEST(FeedbackSheet, ShowsTheSurestDifferencesFirstAndNotMoreThanAsked) {
  const JudgedPairs pairs = join_comparisons(judgements());
  const Audit found = audit_labelers(pairs, {.researchers = {"rita"}});
  const std::string html = feedback_sheet(pairs, found, 0, 3);
  EXPECT_THAT(html, HasSubstr("3 shown of 5 such judgements"));
  EXPECT_EQ(
      occurrences(html, "this labeler&#39;s choice") + occurrences(html, "this labeler's choice"),
      3U);
  EXPECT_LT(html.find("Post 3"), html.find("Post 2"));
  EXPECT_LT(html.find("Post 2"), html.find("Post 1"));
  EXPECT_THAT(html, HasSubstr("Post 1"));
  EXPECT_THAT(html, Not(HasSubstr("Post 0")));
  EXPECT_THAT(html, Not(HasSubstr("Post 6")));
  EXPECT_THAT(html, HasSubstr("Agrees with researchers"));
  EXPECT_THAT(html, HasSubstr("44%"));         // 4 of 9
  EXPECT_THAT(html, HasSubstr("19% to 73%"));  // Wilson's interval of 4 of 9
  EXPECT_THAT(html, HasSubstr("<svg"));        // the trend over three batches
  EXPECT_THAT(html, HasSubstr("batch2"));
  EXPECT_THAT(html, HasSubstr("the longer summary"));
}

TEST(FeedbackSheet, TextFromDataIsShownAsText) {
  const std::string hostile = "</div><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
  auto list = judgements();
  for (Comparison& of : list) {
    of.post.title += hostile;
    of.post.body += hostile;
    of.post.subreddit += hostile;
    of.batch += hostile;
    of.policies = {hostile, hostile};
    of.summaries[0] += hostile;
    of.summaries[1] += hostile;
    of.worker += hostile;
  }
  const JudgedPairs pairs = join_comparisons(list);
  const Audit found = audit_labelers(pairs, {.researchers = {"rita" + hostile}});
  const TemporaryFolder folder;
  EXPECT_EQ(write_feedback_sheets(folder / "sheets", pairs, found, 20), 2U);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "sheets")) {
    const std::string html = read_file(entry.path());
    EXPECT_THAT(html, Not(HasSubstr("<script")));
    EXPECT_THAT(html, Not(HasSubstr("<img")));
    EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)"));
    ++files;
  }
  EXPECT_EQ(files, 3);
}

TEST(FeedbackSheet, NamesOfFilesAreSafeAndDifferent) {
  EXPECT_EQ(sheet_name(0, "ann"), "sheet-01-ann.html");
  EXPECT_EQ(sheet_name(1, "../../etc/passwd"), "sheet-02-______etc_passwd.html");
  EXPECT_EQ(sheet_name(2, ""), "sheet-03.html");
  EXPECT_EQ(sheet_name(3, "\xe9\x9b\xaa\n"), "sheet-04-____.html");
  EXPECT_LE(sheet_name(4, std::string(5000, 'x')).size(), 64U);
}

TEST(FeedbackSheet, AFolderIsReplacedOnlyIfItHoldsNothingElse) {
  const JudgedPairs pairs = join_comparisons(judgements());
  const Audit found = audit_labelers(pairs, {});
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "sheets");
  write_file(folder / "sheets/sheet-07-gone.html", "of an earlier audit");
  write_feedback_sheets(folder / "sheets/", pairs, found, 20);
  EXPECT_FALSE(std::filesystem::exists(folder / "sheets/sheet-07-gone.html"));
  EXPECT_THAT(read_file(folder / "sheets/index.html"), HasSubstr("href=\"sheet-01-ann.html\""));
  write_file(folder / "sheets/mine.txt", "mine");
  EXPECT_THAT(
      message_of<Error>([&] { write_feedback_sheets(folder / "sheets", pairs, found, 20); }),
      HasSubstr("holds mine.txt"));
  EXPECT_TRUE(std::filesystem::exists(folder / "sheets/index.html"));
}

}  // namespace
}  // namespace precis
