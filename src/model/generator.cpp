#include "model/generator.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/error.hpp"
#include "data/step_rows.hpp"
#include "model/decode_schedule.hpp"
#include "model/memory_fit.hpp"

namespace precis {
namespace {

/// Decode steps between two looks at what was sampled, where looking makes the host wait.
constexpr std::int64_t steps_ahead = 8;

constexpr int hidden_tag = 11;
constexpr int sampled_tag = 12;

/// The size that repeated work for so many sequences is rounded up to: there are few of them.
std::int64_t padded_rows(std::int64_t sequences) {
  constexpr std::int64_t grain = 16;
  return sequences < grain
             ? static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(sequences)))
             : (sequences + grain - 1) / grain * grain;
}

bool is_complete(const Generated& result, const GenerationRule& rule) {
  return result.ended || std::ssize(result.response) >= rule.max_new_tokens;
}

}  // namespace

std::int64_t unpadded(const ModelConfig& config, std::int64_t tokenizer_vocabulary) {
  std::int64_t most = tokenizer_vocabulary;
  for (const std::int32_t end : config.end_tokens) {
    most = std::max(most, std::int64_t{end} + 1);
  }
  return most < config.vocabulary ? most : 0;
}

Generator::Generator(Device& device, const ModelConfig& config, const Parameters& layout,
                     std::shared_ptr<Arena> arena)
    : device_(&device),
      parallel_(layout.parallel()),
      stage_(device, config, layout, std::move(arena)),
      head_(device, layout),
      workspace_(stage_.workspace(0)) {
  groups_.resize(static_cast<std::size_t>(parallel_.place.stages));
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    groups_[i].number = static_cast<int>(i);
  }
}

void Generator::run(const Parameters& parameters, std::span<const Prompt> prompts,
                    const GenerationRule& rule, const std::function<void(Generated&&)>& finished,
                    const std::function<void()>& between_steps) {
  Job job{.parameters = parameters, .prompts = prompts, .rule = rule, .finished = finished};
  if (job.rule.sampling.temperature < smallest_temperature) {
    job.rule.sampling.temperature = 0;
  }
  offered_ = 0;
  taken_ = 0;
  if (prompts.empty()) {
    return;
  }
  reserve(job);
  const std::vector<int> round = decode_round(parallel_.place.stages);
  const auto is_busy = [](const Group& group) { return !group.live.empty(); };
  do {
    for (const int number : round) {
      Group& group = groups_[static_cast<std::size_t>(number)];
      take(job, group);
      between_steps();
      if (!admit(job, group) && is_busy(group)) {
        decode(job, group);
      }
    }
  } while (job.next < prompts.size() || std::ranges::any_of(groups_, is_busy));
  send_.wait();
  for (Group& group : groups_) {
    finish_sends(group);
  }
}

void Generator::finish_sends(Group& group) {
  for (StartedOperation& send : group.sends) {
    send.wait();
  }
  group.sends.clear();
}

void Generator::reserve(const Job& job) {
  const ModelConfig& config = stage_.config();
  const GenerationRule& rule = job.rule;
  std::int64_t longest = 0;
  std::int64_t episodes = 0;
  std::int64_t most_of_a_prompt = 0;
  for (const Prompt& prompt : job.prompts) {
    const auto length = static_cast<std::int64_t>(prompt.tokens.size());
    require(length > 0, "A prompt without tokens cannot be continued.");
    require(!prompt.episodes.empty(), "A prompt without episodes would take a place for nothing.");
    require(length + rule.max_new_tokens <= config.context,
            "A prompt of {} tokens and {} new tokens do not fit the model's context of {} tokens.",
            length, rule.max_new_tokens, config.context);
    longest = std::max(longest, length);
    const auto of_prompt = static_cast<std::int64_t>(prompt.episodes.size());
    episodes += of_prompt;
    most_of_a_prompt = std::max(most_of_a_prompt, of_prompt);
  }
  const std::int64_t at_once = std::min(rule.max_sequences, episodes);
  const bool ahead = device_->backend().runs_ahead;
  std::int64_t sequences = 0;
  for (Group& group : groups_) {
    const auto [begin, end] =
        part_of(at_once, group.number, static_cast<std::int64_t>(groups_.size()));
    group.places = end - begin;
    const std::int64_t most = group.places == 0 ? 0 : std::max(group.places, most_of_a_prompt);
    sequences += most;
    const std::int64_t numbers = ahead ? steps_ahead * padded_rows(most) : most;
    if (group.sampled.empty() || group.sampled.view().numel() < 2 * numbers) {
      group.sampled = device_->allocate({2 * numbers}, DType::i32);
    }
  }
  sequences = std::min(sequences, episodes);
  // A fork may copy one block of its prompt before it releases its share of it.
  const std::int64_t blocks_per_sequence = KvCache::blocks_for(longest + rule.max_new_tokens) + 1;
  const std::int64_t blocks = blocks_per_sequence * (sequences + 1) + 1;
  if (!cache_ || cache_->blocks() < blocks) {
    cache_.reset();
    try {
      cache_ = std::make_unique<KvCache>(*device_, config, blocks, parallel_.place);
    } catch (const OutOfMemory& error) {
      throw with_fitting_sequences(error, *device_, config, parallel_.place, sequences,
                                   blocks_per_sequence);
    }
    padding_ = cache_->create();
    cache_->append(padding_, 1);
  }
  table_width_ = std::max(table_width_, blocks_per_sequence);
}

void Generator::take(Job& job, Group& group) {
  if (group.waiting.empty()) {
    return;
  }
  const Sampled sampled = sampled_of(group);
  if (!is_last_stage()) {
    parallel_.pipeline->receive(device_->queue(), message_of(group), parallel_.place.stages - 1,
                                sampled_tag);
  }
  const auto tokens = device_->to_host<std::int32_t>(sampled.tokens);
  const auto logprobs = device_->to_host<float>(sampled.logprobs);
  const auto rows = static_cast<std::size_t>(group.rows);
  for (std::size_t b = 0; b < group.waiting.size(); ++b) {
    Generated& result = group.waiting[b]->result;
    for (std::size_t i = b; i < tokens.size() && !is_complete(result, job.rule); i += rows) {
      result.response.push_back(tokens[i]);
      result.logprobs.push_back(logprobs[i]);
      result.ended = stage_.config().ends_with(tokens[i]);
    }
  }
  group.waiting.clear();
  std::erase_if(group.live, [&](const std::unique_ptr<Live>& live) {
    Generated& result = live->result;
    if (!is_complete(result, job.rule)) {
      return false;
    }
    cache_->release(live->cache_sequence);
    job.finished(std::move(result));
    return true;
  });
}

bool Generator::admit(Job& job, Group& group) {
  const std::size_t first = job.next;
  PackedBatch batch;
  auto places = group.places - static_cast<std::int64_t>(group.live.size());
  // A prompt with more samples than there are places ever will be is taken in when all are free.
  for (; group.places > 0 && job.next < job.prompts.size(); ++job.next) {
    const Prompt& prompt = job.prompts[job.next];
    const auto wanted = static_cast<std::int64_t>(prompt.episodes.size());
    const bool alone = group.live.empty() && job.next == first;
    const bool in_budget =
        batch.size() + static_cast<std::int64_t>(prompt.tokens.size()) <= job.rule.prefill_tokens;
    if (!alone && (wanted > places || !in_budget)) {
      break;
    }
    batch.append(prompt.tokens);
    places -= wanted;
  }
  if (job.next == first) {
    return false;
  }

  batch.read = batch.last_rows();
  workspace_.reset();
  std::vector<int> sequences(job.next - first);
  for (int& sequence : sequences) {
    sequence = cache_->create();
  }
  const ConstView hidden =
      stage_.prefill(job.parameters, workspace_, batch, *cache_, sequences, receive());

  // Every sample of a prompt starts from the prompt's last hidden state.
  std::vector<std::int32_t> last;
  std::vector<std::int64_t> episodes;
  for (std::size_t p = first; p < job.next; ++p) {
    const std::size_t b = p - first;
    for (const std::int64_t episode : job.prompts[p].episodes) {
      auto live = std::make_unique<Live>();
      live->cache_sequence = cache_->fork(sequences[b]);
      live->result.episode = episode;
      last.push_back(static_cast<std::int32_t>(b));
      episodes.push_back(episode);
      group.waiting.push_back(live.get());
      group.live.push_back(std::move(live));
    }
    cache_->release(sequences[b]);
  }
  const auto count = std::ssize(last);
  const Sampled sampled = expect(group, 1, count);
  if (is_last_stage()) {
    View rows = workspace_.take({count, hidden.extent(1)}, hidden.dtype());
    device_->backend().gather_rows(device_->queue(), rows, hidden, workspace_.upload(last));
    const std::vector<std::int32_t> positions(last.size(), 0);
    sample(job, rows, workspace_.upload(episodes), workspace_.upload(positions),
           {sampled.tokens.row(0), sampled.logprobs.row(0)});
  }
  pass_on(group, hidden);
  return true;
}

void Generator::decode(const Job& job, Group& group) {
  std::vector<int> sequences;
  std::vector<std::int64_t> left;
  std::vector<std::int32_t> tokens;
  std::vector<std::int64_t> episodes;
  for (const auto& live : group.live) {
    const Generated& result = live->result;
    group.waiting.push_back(live.get());
    sequences.push_back(live->cache_sequence);
    left.push_back(job.rule.max_new_tokens - std::ssize(result.response));
    tokens.push_back(result.response.back());
    episodes.push_back(result.episode);
  }
  // With several stages a step needs what the last stage has sampled in the step before.
  const bool ahead = device_->backend().runs_ahead && groups_.size() == 1;
  const std::int64_t steps = std::min(ahead ? steps_ahead : 1, std::ranges::max(left));
  offered_ += steps * std::max(group.places, std::ssize(group.live));
  taken_ += steps * std::ssize(group.live);
  const auto rows = static_cast<std::size_t>(ahead ? padded_rows(std::ssize(group.live))
                                                   : std::ssize(group.live));
  sequences.resize(rows, padding_);
  left.resize(rows, 0);
  tokens.resize(rows, 0);
  episodes.resize(rows, 0);
  std::vector<std::int32_t> positions;
  for (std::int64_t step = 0; step < steps; ++step) {
    for (const std::int64_t of_row : left) {
      positions.push_back(static_cast<std::int32_t>(job.rule.max_new_tokens - of_row + step));
    }
  }

  workspace_.reset();
  const auto batch = static_cast<std::int64_t>(rows);
  const DecodePlan plan(workspace_, *cache_, sequences, left, steps, table_width_);
  const View first = workspace_.upload(tokens);
  const View of_episodes = workspace_.upload(episodes);
  const View at_positions = workspace_.upload(positions).reshaped({steps, batch});
  const Sampled sampled = expect(group, steps, batch);
  ConstView hidden;
  // Always in the same order from the workspace's beginning: the same memory for the same sizes.
  // The prefill of this run has packed every weight anew that has changed.
  device_->backend().repeat(device_->queue(), recording(job, group), [&] {
    ConstView last = first;
    for (std::int64_t step = 0; step < steps; ++step) {
      const WorkspaceScope scope(workspace_);
      hidden = stage_.decode(job.parameters, workspace_, plan.at(step), last, *cache_, receive());
      if (is_last_stage()) {
        const Sampled of_step{sampled.tokens.row(step), sampled.logprobs.row(step)};
        sample(job, hidden, of_episodes, at_positions.row(step), of_step);
        last = of_step.tokens;
      }
    }
  });
  pass_on(group, hidden);
}

Recording& Generator::recording(const Job& job, const Group& group) {
  const RecordedFor now{job.parameters.flat().bytes(), job.rule.sampling, table_width_};
  if (recorded_for_ != now) {
    recordings_.clear();
    recorded_for_ = now;
  }
  return recordings_[{group.number, group.steps, group.rows}];
}

View Generator::message_of(Group& group) {
  return group.sampled.view().rows(0, 2 * group.steps * group.rows);
}

Generator::Sampled Generator::sampled_of(Group& group) {
  const std::int64_t count = group.steps * group.rows;
  const View tokens = group.sampled.view().rows(0, count);
  const View logprobs = group.sampled.view().rows(count, 2 * count);
  const Shape shape{group.steps, group.rows};
  return {tokens.reshaped(shape), View(logprobs.bytes(), DType::f32, shape)};
}

Generator::Sampled Generator::expect(Group& group, std::int64_t steps, std::int64_t rows) {
  finish_sends(group);
  group.steps = steps;
  group.rows = rows;
  return sampled_of(group);
}

void Generator::sample(const Job& job, ConstView hidden, ConstView episodes, ConstView positions,
                       const Sampled& sampled) {
  head_.sample(job.parameters, workspace_, hidden, episodes, positions, job.rule.sampling,
               sampled.tokens, sampled.logprobs);
}

Stage::Receive Generator::receive() const {
  return [this](View input) {
    parallel_.pipeline->receive(device_->queue(), input, parallel_.place.stage - 1, hidden_tag);
  };
}

void Generator::pass_on(Group& group, ConstView hidden) {
  const int stages = parallel_.place.stages;
  if (is_last_stage()) {
    for (int stage = 0; stage + 1 < stages; ++stage) {
      group.sends.push_back(
          parallel_.pipeline->start_send(device_->queue(), message_of(group), stage, sampled_tag));
    }
    return;
  }
  // In memory of its own, so that the next turn need not wait until the next stage has it.
  send_.wait();
  if (outgoing_.empty() || outgoing_.view().size_bytes() < hidden.size_bytes()) {
    outgoing_ = device_->allocate(hidden.shape(), hidden.dtype());
  }
  const View out(outgoing_.view().bytes(), hidden.dtype(), hidden.shape());
  device_->backend().copy(device_->queue(), out, hidden);
  send_ =
      parallel_.pipeline->start_send(device_->queue(), out, parallel_.place.stage + 1, hidden_tag);
}

}  // namespace precis
