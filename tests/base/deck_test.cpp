#include "base/deck.hpp"

#include <cstdio>
#include <fstream>

#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

std::string usage_message(const std::string& text) {
  return message_of<UsageError>([&] { static_cast<void>(parse_deck(text, "d.cfg")); });
}

std::string all_of(const std::vector<DeckEntry>& entries) {
  std::string text;
  for (const DeckEntry& entry : entries) {
    text += fmt::format("{}:{}={};", entry.line, entry.key, entry.value);
  }
  return text;
}

TEST(Deck, ReadsSectionsKeysAndComments) {
  const char* text =
      "# a deck\n"
      "seed = 7   # lucky\n"
      "grid = dp=2,pp=1\n"
      "\n"
      "[train]\n"
      "steps=3\n"
      "  learning_rate\t=\t1e-3\t# peak\n"
      "[data] # rows\n"
      "train = a#b.jsonl #c\n"
      "template =\n"
      "[train]\n"
      "batch = 4";
  EXPECT_EQ(all_of(parse_deck(text, "d.cfg")),
            "2:seed=7;3:grid=dp=2,pp=1;6:train.steps=3;7:train.learning_rate=1e-3;"
            "9:data.train=a#b.jsonl;10:data.template=;12:train.batch=4;");
}

TEST(Deck, ByteOrderMarkCrlfAndFinalNewlineDoNotMatter) {
  const std::string plain = all_of(parse_deck("a = 1\n[s]\nb = x y\n", "d.cfg"));
  EXPECT_EQ(all_of(parse_deck("\xEF\xBB\xBF"
                              "a = 1\r\n[s]\r\nb = x y\r\n",
                              "d.cfg")),
            plain);
  EXPECT_EQ(all_of(parse_deck("a = 1\n[s]\nb = x y", "d.cfg")), plain);
  EXPECT_TRUE(parse_deck("", "d.cfg").empty());
}

TEST(Deck, ErrorsNameFileAndLine) {
  EXPECT_THAT(usage_message("a = 1\nwhat is this\n"),
              AllOf(HasSubstr("d.cfg:2"), HasSubstr("what is this")));
  EXPECT_THAT(usage_message("[train\n"), HasSubstr("d.cfg:1"));
  EXPECT_THAT(usage_message("[]\n"), HasSubstr("d.cfg:1"));
  EXPECT_THAT(usage_message("a = 1\n\n= 2\n"), HasSubstr("d.cfg:3"));
  EXPECT_THAT(usage_message("a = 1\nb = \xFF\n"), AllOf(HasSubstr("d.cfg:2"), HasSubstr("UTF-8")));
  EXPECT_THAT(usage_message("a = \"x\n"), AllOf(HasSubstr("d.cfg:1"), HasSubstr("quote")));
  EXPECT_THAT(usage_message("a = \"x\" y\n"), HasSubstr("'y'"));
  EXPECT_THAT(usage_message("a = \"x\\q\"\n"), HasSubstr("d.cfg:1"));
  EXPECT_THAT(usage_message("a = \"\\x4\"\n"), HasSubstr("hexadecimal"));
}

TEST(Deck, ErrorsShowTheBeginningOfALongLine) {
  std::string line = "x";  // so that the cut falls within a character of two bytes
  for (int i = 0; i < 5000; ++i) {
    line += "\xC3\xA9";
  }
  const std::string message = usage_message(line);
  EXPECT_THAT(message, AllOf(HasSubstr("d.cfg:1: found 'x\xC3\xA9"), HasSubstr("\xC3\xA9...'")));
  EXPECT_LT(message.size(), 200U);
}

TEST(Deck, KeyTwiceIsAnErrorNamingBothLines) {
  EXPECT_THAT(usage_message("[train]\nsteps = 1\n[data]\ntrain = x\n[train]\nsteps = 2\n"),
              AllOf(HasSubstr("d.cfg:6"), HasSubstr("train.steps"), HasSubstr("line 2")));
}

TEST(Deck, AnyValueSurvivesWritingAndReading) {
  const std::vector<std::string> values{"",
                                        "plain",
                                        "two words",
                                        " leading",
                                        "trailing ",
                                        "a # b",
                                        "#start",
                                        "a#b",
                                        "\"quoted\"",
                                        "back\\",
                                        "tab\there",
                                        "line\nbreak\r",
                                        "\x01\x7F",
                                        "\xFF\xFE",
                                        "Pr\303\251cis",
                                        "a=b",
                                        "say \"no\" # yes",
                                        "\t",
                                        "[x]",
                                        "\"",
                                        "C:\\new",
                                        std::string("a\0b", 3)};
  for (const std::string& value : values) {
    const std::string line = fmt::format("key = {}\n", deck_value(value));
    const auto entries = parse_deck(line, "d.cfg");
    ASSERT_EQ(entries.size(), 1U) << line;
    EXPECT_EQ(entries[0].value, value) << line;
  }
  EXPECT_EQ(deck_value("C:\\new # x"), "\"C:\\\\new # x\"");
  EXPECT_EQ(deck_value("C:\\new"), "C:\\new");
}

TEST(Deck, QuotedValueMayHoldAndPrecedeAComment) {
  EXPECT_EQ(all_of(parse_deck("a = \"x # y\" # z\nb = \" #\"\n", "d.cfg")), "1:a=x # y;2:b= #;");
}

TEST(Deck, MissingFileAndFolderAreUsageErrors) {
  EXPECT_THAT(message_of<UsageError>([] { static_cast<void>(read_deck("no/such.cfg")); }),
              AllOf(HasSubstr("no/such.cfg"), HasSubstr("No such file")));
  EXPECT_THAT(message_of<UsageError>([] { static_cast<void>(read_deck("/tmp")); }),
              AllOf(HasSubstr("/tmp"), HasSubstr("Is a directory")));
}

TEST(Deck, AnotherKindOfFileIsNamed) {
  const TemporaryFolder folder;
  const auto message_about = [](const std::filesystem::path& file) {
    return message_of<UsageError>([&] { static_cast<void>(read_deck(file)); });
  };
  EXPECT_THAT(message_about(folder.file("m.h5", "\x89HDF\r\n\x1a\n and more")),
              AllOf(HasSubstr("is a model file (HDF5), not a deck"), HasSubstr("use --model ")));
  EXPECT_THAT(message_about(folder.file("rows.jsonl", "{\"id\": 1}\n")),
              HasSubstr("holds JSON, not a deck"));
}

TEST(Deck, DifferencesNameKeyAndValues) {
  const auto before = parse_deck("seed = 1\n[train]\nsteps = 3\nbatch = 4\n", "a");
  const auto after = parse_deck("seed = 2\nextra = 5\n[train]\nbatch = 4\n", "b");
  const auto differences = deck_differences(before, after);
  ASSERT_EQ(differences.size(), 3U);
  EXPECT_EQ(differences[0].key, "seed");
  EXPECT_EQ(differences[0].before, "1");
  EXPECT_EQ(differences[0].after, "2");
  EXPECT_EQ(differences[1].key, "train.steps");
  EXPECT_EQ(differences[1].after, std::nullopt);
  EXPECT_EQ(differences[2].key, "extra");
  EXPECT_EQ(differences[2].before, std::nullopt);
}

TEST(Deck, KeysThatMayDifferWhenContinued) {
  for (const char* key :
       {"train.steps", "train.stop_after", "checkpoint.keep", "log.level", "threads", "device",
        "grid", "rollout.grid", "placement", "watchdog_seconds", "end_time", "trace", "dry_run",
        "data.train", "model"}) {
    EXPECT_TRUE(may_differ_when_continued(key)) << key;
  }
  for (const char* key : {"seed", "train.batch", "train.epochs", "data.limit", "precision",
                          "ppo.log_episodes", "model.layers", "logs", "train.steps2"}) {
    EXPECT_FALSE(may_differ_when_continued(key)) << key;
  }
}

TEST(Deck, ContinuingWithAnotherValueIsAUsageErrorNamingTheKey) {
  const auto before = parse_deck("seed = 1\nthreads = 1\n[train]\nsteps = 3\n", "a");
  const auto allowed = parse_deck("seed = 1\nthreads = 2\n[train]\nsteps = 9\n", "b");
  EXPECT_NO_THROW(check_continued_deck(before, allowed, "RUN/deck.cfg"));
  // A run of a version without these keys goes on.
  const auto of_today = parse_deck(
      "seed = 1\nthreads = 1\n[train]\nsteps = 3\n[exact]\ndata_parts = 4\n[data]\nbos = auto\n",
      "b");
  EXPECT_NO_THROW(check_continued_deck(before, of_today, "RUN/deck.cfg"));
  const auto other_bos =
      parse_deck("seed = 1\nthreads = 1\n[train]\nsteps = 3\n[data]\nbos = true\n", "b");
  EXPECT_THROW(check_continued_deck(before, other_bos, "RUN/deck.cfg"), UsageError);
  const auto old_ppo = parse_deck("[ppo]\nlambda = 0.9\n", "a");
  EXPECT_NO_THROW(check_continued_deck(
      old_ppo,
      parse_deck("[ppo]\nlambda = 0.9\nvalue_lambda = 0.9\nvalue_warmup_steps = 0\n"
                 "kl_estimator = k1\n",
                 "b"),
      "RUN/deck.cfg"));
  for (const char* other : {"value_lambda = 1", "value_warmup_steps = 2", "kl_estimator = k3"}) {
    const auto of_other = parse_deck(fmt::format("[ppo]\nlambda = 0.9\n{}\n", other), "b");
    EXPECT_THROW(check_continued_deck(old_ppo, of_other, "RUN/deck.cfg"), UsageError) << other;
  }
  const auto changed = parse_deck("seed = 2\nthreads = 2\n[train]\nsteps = 9\n", "b");
  EXPECT_THAT(
      message_of<UsageError>([&] { check_continued_deck(before, changed, "RUN/deck.cfg"); }),
      AllOf(HasSubstr("seed (was '1', now '2')"), HasSubstr("RUN/deck.cfg"),
            testing::Not(HasSubstr("threads"))));
}

}  // namespace
}  // namespace precis
