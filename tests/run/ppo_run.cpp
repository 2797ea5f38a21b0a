#include "run/ppo_run.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <thread>

#include "base/error.hpp"

namespace precis::test {
namespace {

using Clock = std::chrono::steady_clock;

void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The parent of a process, from the text after its name in /proc/PID/stat; -1 if it is gone.
pid_t parent_of(const std::string& stat) {
  const std::size_t end = stat.rfind(')');
  if (end == std::string::npos) {
    return -1;
  }
  std::istringstream rest(stat.substr(end + 1));
  std::string state;
  pid_t parent = -1;
  rest >> state >> parent;
  return parent;
}

bool is_rank(const std::string& environment, int rank) {
  const std::string wanted = "OMPI_COMM_WORLD_RANK=" + std::to_string(rank);
  std::istringstream variables(environment);
  for (std::string variable; std::getline(variables, variable, '\0');) {
    if (variable == wanted) {
      return true;
    }
  }
  return false;
}

bool is_a_time(const std::string& key) {
  return key.starts_with("seconds") || key.ends_with("_per_second");
}

void without_times(nlohmann::json& row) {
  for (auto item = row.begin(); item != row.end();) {
    item = is_a_time(item.key()) ? row.erase(item) : std::next(item);
  }
}

void expect_equal_files(const Path& a, const Path& b) {
  const Outcome diff = run({PRECIS_PROGRAM, "inspect", a, "--diff", b});
  EXPECT_EQ(diff.status, 0) << a << " and " << b << " differ:\n" << diff.output;
}

}  // namespace

Job::Job(const std::vector<std::string>& words, Path output) : output_(std::move(output)) {
  pid_ = fork();
  require(pid_ >= 0, "{}", with_errno("fork"));
  if (pid_ == 0) {
    setpgid(0, 0);
    // The tests may themselves run in the background, where these are ignored.
    for (const int signal : {SIGINT, SIGQUIT, SIGHUP}) {
      std::signal(signal, SIG_DFL);
    }
    const int file = open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    std::vector<char*> arguments;
    for (const std::string& word : words) {
      arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  setpgid(pid_, pid_);  // also here, so that it holds whoever comes first
}

Job::~Job() {
  if (running()) {
    kill_all();
    int status = 0;
    waitpid(pid_, &status, 0);
  }
}

bool Job::running() {
  if (status_ < 0) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      status_ = exit_status(status);
    }
  }
  return status_ < 0;
}

pid_t Job::rank(int rank) const {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    if (parent_of(text_of(entry.path() / "stat")) == pid_ &&
        is_rank(text_of(entry.path() / "environ"), rank)) {
      return static_cast<pid_t>(std::stol(name));
    }
  }
  return pid_;
}

void Job::signal_rank(int number, int signal) const { kill(rank(number), signal); }

void Job::kill_all() const {
  // mpirun puts each rank into a group of its own.
  std::vector<pid_t> all{pid_};
  for (int of = 0; rank(of) != pid_; ++of) {
    all.push_back(rank(of));
  }
  for (const pid_t pid : all) {
    kill(pid, SIGKILL);
  }
}

Outcome Job::wait(double seconds) {
  const auto begin = Clock::now();
  while (running() && seconds_since(begin) < PRECIS_PATIENCE * seconds) {
    pause();
  }
  if (running()) {
    kill_all();
    int status = 0;
    waitpid(pid_, &status, 0);
    status_ = 124;
  }
  return {status_, text_of(output_)};
}

Fixture::Fixture() {
  const Outcome made = run({PRECIS_MAKE_MODELS, folder_.path()});
  require(made.status == 0, "make_models failed: {}", made.output);
}

std::vector<std::string> Fixture::ppo(const std::string& run, int ranks,
                                      const std::vector<std::string>& more) const {
  std::map<std::string, std::string> keys{{"--policy", folder_ / "policy.h5"},
                                          {"--reference", folder_ / "reference.h5"},
                                          {"--reward", folder_ / "reward.h5"},
                                          {"--data.prompts", folder_ / "prompts.jsonl"},
                                          {"--run", folder_ / run},
                                          {"--train.steps", "3"},
                                          {"--train.learning_rate", "3e-3"},
                                          {"--data.max_response_tokens", "8"},
                                          {"--data.max_query_tokens", "100"},
                                          {"--ppo.batch", "8"},
                                          {"--ppo.log_episodes", "8"},
                                          {"--threads", "1"},
                                          {"--log.level", "warning"}};
  for (std::size_t i = 0; i + 1 < more.size(); i += 2) {
    keys[more[i]] = more[i + 1];
  }
  std::vector<std::string> words;
  if (ranks > 1) {
    words = {PRECIS_MPIEXEC, "--oversubscribe", "--bind-to", "none", "-n", std::to_string(ranks)};
  }
  words.insert(words.end(), {PRECIS_PROGRAM, "ppo"});
  for (const auto& [key, value] : keys) {
    if (!value.empty()) {
      words.insert(words.end(), {key, value});
    }
  }
  return words;
}

std::string Fixture::output_of(const std::string& run) const { return folder_ / (run + ".output"); }

Outcome run(const std::vector<std::string>& words, double seconds) {
  const TemporaryFolder folder;
  Job job(words, folder / "output");
  return job.wait(seconds);
}

std::string text_of(const Path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

Rows read_rows(const Path& file) {
  Rows rows;
  std::istringstream lines(text_of(file));
  for (std::string line; std::getline(lines, line);) {
    rows.push_back(nlohmann::json::parse(line));
  }
  return rows;
}

int lines_of(const Path& file) {
  const std::string text = text_of(file);
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

bool wait_for_lines(Job& job, const Path& file, int lines) {
  const auto begin = Clock::now();
  while (lines_of(file) < lines) {
    if (!job.running() || seconds_since(begin) > PRECIS_PATIENCE * 60) {
      ADD_FAILURE() << "waited for " << lines << " lines of " << file << "\n" << job.wait(0).output;
      return false;
    }
    pause();
  }
  return true;
}

void expect_same_run(const Path& a, const Path& b, int steps) {
  const std::string checkpoint = fmt::format("checkpoints/step_{:06}.h5", steps);
  for (const std::string& name : {std::string("policy.h5"), std::string("value.h5"), checkpoint}) {
    expect_equal_files(a / name, b / name);
  }
  Rows of_a = read_rows(a / "metrics.jsonl");
  Rows of_b = read_rows(b / "metrics.jsonl");
  ASSERT_EQ(of_a.size(), static_cast<std::size_t>(steps));
  ASSERT_EQ(of_b.size(), static_cast<std::size_t>(steps));
  for (std::size_t i = 0; i < of_a.size(); ++i) {
    without_times(of_a[i]);
    without_times(of_b[i]);
    EXPECT_EQ(of_a[i], of_b[i]) << "step " << i + 1;
  }
  EXPECT_EQ(text_of(a / "episodes.jsonl"), text_of(b / "episodes.jsonl"));
  EXPECT_EQ(text_of(a / "samples.jsonl"), text_of(b / "samples.jsonl"));
  EXPECT_GT(lines_of(a / "episodes.jsonl"), 0);
  EXPECT_GT(lines_of(a / "samples.jsonl"), 0);
}

void expect_close_metrics(const Path& a, const Path& b, double tolerance) {
  const Rows of_a = read_rows(a / "metrics.jsonl");
  const Rows of_b = read_rows(b / "metrics.jsonl");
  ASSERT_EQ(of_a.size(), of_b.size());
  for (std::size_t i = 0; i < of_a.size(); ++i) {
    for (const auto& [key, value] : of_a[i].items()) {
      if (is_a_time(key) || key.starts_with("logprob_gap")) {
        continue;
      }
      const double x = value.get<double>();
      const double y = of_b[i].at(key).get<double>();
      EXPECT_LE(std::abs(x - y), tolerance * std::max(std::abs(x), 1e-3))
          << key << " of step " << i + 1 << ": " << x << " and " << y;
    }
  }
}

namespace {

/// Bytes of "WORDS 1.5 MiB" in a text, the largest if there are several on the line.
double bytes_after(const std::string& text, const std::string& words) {
  const std::map<std::string, double> units{
      {"B", 1}, {"KiB", 1024}, {"MiB", 1024.0 * 1024}, {"GiB", 1024.0 * 1024 * 1024}};
  std::smatch line;
  if (!std::regex_search(text, line, std::regex(words + "((?: +[0-9.]+ (?:B|KiB|MiB|GiB))+)"))) {
    ADD_FAILURE() << "no " << words << " in:\n" << text;
    return 0;
  }
  const std::string numbers = line[1];
  double most = 0;
  const std::regex number("([0-9.]+) ([KMG]?i?B)");
  for (std::sregex_iterator i(numbers.begin(), numbers.end(), number), end; i != end; ++i) {
    most = std::max(most, std::stod((*i)[1]) * units.at((*i)[2]));
  }
  return most;
}

}  // namespace

void expect_planned_memory(const std::vector<std::string>& command, const Path& folder) {
  std::vector<std::string> dry = command;
  dry.insert(dry.end(), {"--dry_run", "true"});
  const Outcome plan = run(dry, 120);
  EXPECT_EQ(plan.status, 0) << plan.output;
  EXPECT_FALSE(std::filesystem::exists(folder));
  EXPECT_THAT(plan.output, testing::HasSubstr("time        about "));
  const Outcome outcome = run(command, 120);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  const double planned = bytes_after(plan.output, "together");
  const double peak = bytes_after(outcome.output, "of tensors(?:, on rank [0-9]+)?:");
  EXPECT_GT(peak, 0);
  EXPECT_NEAR(planned, peak, 0.1 * peak) << plan.output << outcome.output;
}

void expect_one_message(const Outcome& outcome) {
  std::istringstream lines(outcome.output);
  int messages = 0;
  int length = 0;
  for (std::string line; std::getline(lines, line);) {
    const bool warning = line.starts_with("precis: warning: ");
    messages += line.starts_with("precis: ") && !warning ? 1 : 0;
    ++length;
  }
  EXPECT_EQ(messages, 1) << outcome.output;
  EXPECT_LE(length, 12) << outcome.output;
}

}  // namespace precis::test
