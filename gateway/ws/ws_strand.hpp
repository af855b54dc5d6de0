// Where a connection's work runs. Callbacks of the kernel hold a copy: they may come after the
// connection is over, on threads of their own, and must still find the io_context they post to.
#pragma once

#include <memory>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

namespace berth::gateway {

class ws_strand {
 public:
  // `keep` owns the executor's context.
  ws_strand(boost::asio::any_io_executor executor, std::shared_ptr<const void> keep)
      : keep_{std::move(keep)}, executor_{std::move(executor)} {}
  template <class F>
  void post(F&& run) const {
    boost::asio::post(executor_, std::forward<F>(run));
  }
  const boost::asio::any_io_executor& executor() const { return executor_; }

 private:
  std::shared_ptr<const void> keep_;
  boost::asio::any_io_executor executor_;
};

}  // namespace berth::gateway
