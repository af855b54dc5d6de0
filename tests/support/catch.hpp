// The one door to Catch2 (v2 on Debian 12; v3 works too).
#pragma once
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <boost/system/result.hpp>

// result's own operator<< is unconstrained and would ask for one of every error.
template <class T, class E>
struct Catch::StringMaker<boost::system::result<T, E>> {
  static std::string convert(const boost::system::result<T, E>& result) {
    if (result.has_value()) return "a value";
    if constexpr (requires { result.error().message; }) return "error: " + result.error().message;
    return "an error";
  }
};
