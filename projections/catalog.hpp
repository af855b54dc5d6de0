// What exists. Rows:
//   environment/<id>  terminal/<id>  session/<id>  account/<id>    the aggregate's state (see the
//                                                                  exceptions)
//   version/<stream>                                               decimal version of the stream
//   environments/<account>/<id>  deleted/<account>/<id>            indexes; a DELETED one moves to
//                                                                  `deleted`
//   environment-name/<account>/<name>/<id>                         one DELETED and its successor
//   may
//                                                                  both be there for a while
//   terminals/<environment>/<id>  account-terminals/<account>/<id>
//   sessions/<account>/<id>                                        open ones
//   account-name/<name>                                            id
//   token/<account>/<token>                                        an account state with this token
//                                                                  alone
//   token-account/<token>                                          account id
// Exceptions: environments are kept without pending execs and activity (frequent, and not listed:
// see `activity`), accounts without tokens and environments (they have rows of their own).
#pragma once

#include <memory>

#include "projections/projection.hpp"

namespace berth {

inline constexpr std::string_view catalog_name = "catalog";
std::unique_ptr<projection> make_catalog();

}  // namespace berth
